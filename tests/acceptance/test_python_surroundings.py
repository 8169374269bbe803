"""What a worker has run before is nothing to the next job: not its modules, not what it has set in the process."""

from __future__ import annotations

from pathlib import Path

import psutil

from .script import ended_well, run_script, runs, start_script
from .shop import Shop, until

QUEUE = 'seamless.config.select_execution("queue")\n'
ASKING = """
@delayed
def ask(n):
    import utils
    return utils.WHO
"""


def _project(shop: Shop, name: str, **files: str) -> Path:
    for file, text in files.items():
        shop.write(f"{name}/{file}.py", text)
    return shop.dir / name


def _ask(shop: Shop, project: str, text: str) -> str:
    """What a script of a project prints; it is run in its own directory."""
    return run_script(shop, text, name=f"{project}/script.py", cwd=shop.dir / project, env=_finding(shop))


def _finding(shop: Shop) -> dict[str, str]:
    return {"PYTHONPATH": str(shop.dir)}


def test_projects_that_share_a_server(shop: Shop) -> None:
    """Each has a module of the same name, and a package whose modules refer to each other."""
    for name in ("one", "two"):
        _project(shop, name, utils="from parts import who\nWHO = who.NAME\n")
        shop.write(f"{name}/parts/__init__.py", "")
        shop.write(f"{name}/parts/who.py", f"NAME = {name!r}\n")
    shop.server("--workers", "1")
    for number, name in enumerate(("one", "two", "one", "two")):
        assert _ask(shop, name, f"{QUEUE}{ASKING}\nprint(ask({number}).run())") == f"{name}\n"


def test_jobs_of_jobs_are_where_the_submitter_is(shop: Shop) -> None:
    """Whichever worker runs them, and whomever it has served before."""
    for name in ("one", "two"):
        _project(shop, name, utils=f"WHO = {name!r}\n")
    shop.server("--workers", "2")
    text = f"""
{QUEUE}{ASKING}
@delayed
def outer(n):
    from seamless.transformer import delayed
    def ask(n):
        import os, utils, time
        time.sleep(0.05)
        return f"{{utils.WHO}} {{os.environ['PROJECT']}}"
    inner = [delayed(ask)(f"{{n}} {{i}}").start() for i in range(6)]
    return ", ".join(sorted({{one.run() for one in inner}}))
print(outer(os.environ["PROJECT"]).run())
"""
    for name in ("one", "two"):
        env = {**_finding(shop), "PROJECT": name}
        assert run_script(shop, text, name=f"{name}/script.py", cwd=shop.dir / name, env=env) == f"{name} {name}\n"


def test_a_module_that_was_edited_or_removed(shop: Shop) -> None:
    """Also one that another one has imported, of the same size, and at once."""
    _project(shop, "one", utils="import who\nWHO = who.NAME\n", who="NAME = 'a'\n")
    shop.server("--workers", "1")
    assert _ask(shop, "one", f"{QUEUE}{ASKING}\nprint(ask(1).run())") == "a\n"
    _project(shop, "one", who="NAME = 'b'\n")
    assert _ask(shop, "one", f"{QUEUE}{ASKING}\nprint(ask(2).run())") == "b\n"
    (shop.dir / "one" / "utils.py").unlink()
    said = _ask(shop, "one", f"{QUEUE}{ASKING}\ntf = ask(3)\ntf.compute()\nprint(tf.exception.splitlines()[0])")
    assert said.startswith("ModuleNotFoundError: No module named 'utils'")


def test_a_module_that_is_edited_while_a_job_runs(shop: Shop) -> None:
    """It was imported before: what it is at the end of the job is not what was imported."""
    _project(shop, "one", utils="WHO = 'before'\n")
    text = """
spawn(1)
@delayed
def hold(name):
    import gates, utils
    gates.wait(name)
    return utils.WHO
print(hold("first").run(), hold("second").run())
"""
    script = start_script(shop, text, name="one/script.py", cwd=shop.dir / "one", env=_finding(shop))
    runs(shop, "first")
    _project(shop, "one", utils="WHO = 'now'\n")
    shop.let("first")
    shop.let("second")
    assert ended_well(script) == "before now\n"


def test_a_module_that_the_session_reloads(shop: Shop) -> None:
    shop.write("utils.py", "WHO = 'before'\n")
    text = f"""
    spawn(2)
    {ASKING.strip().replace(chr(10), chr(10) + "    ")}
    import importlib, utils
    print({{tf.value for tf in parallel(ask(n) for n in range(20))}})
    with open("utils.py", "w") as file:
        file.write("WHO = 'afterwards'\\n")
    importlib.reload(utils)
    print(utils.WHO, {{tf.value for tf in parallel(ask(n) for n in range(20, 40))}})
    """
    assert run_script(shop, text) == "{'before'}\nafterwards {'afterwards'}\n"


def test_modules_stay_while_nothing_changes(shop: Shop) -> None:
    """What they have computed at their import, they need not compute for every job."""
    shop.write("utils.py", "import gates\ngates.count()\nWHO = 'once'\n")
    assert (
        run_script(shop, f"spawn(1)\n{ASKING}\nprint([ask(n).run() for n in range(3)])") == "['once', 'once', 'once']\n"
    )
    assert shop.executions <= 2


def test_a_path_that_a_job_has_added(shop: Shop) -> None:
    """It is its own: another job finds what lies on another one."""
    for name in ("one", "two"):
        _project(shop, name, helper=f"WHO = {name!r}\n")
    text = """
    spawn(1)
    @delayed
    def ask(place, n):
        import sys
        if place:
            sys.path.insert(0, place)
        import helper
        return helper.WHO
    print(ask("one", 0).run(), ask("two", 0).run(), ask("one", 1).run())
    tf = ask("", 0)
    tf.compute()
    print(tf.exception.splitlines()[0])
    """
    lines = run_script(shop, text).splitlines()
    assert lines[0] == "one two one"
    assert lines[1].startswith("ModuleNotFoundError: No module named 'helper'")


def test_the_modules_of_a_job_that_waits_stay(shop: Shop) -> None:
    """A job that runs inside of it, in the same worker, takes none of them away."""
    shop.write("utils.py", "WHO = 'mine'\nclass Thing:\n    pass\n")
    text = """
    spawn(1)
    @delayed
    def outer(n):
        import sys, utils
        from seamless.transformer import delayed
        def edit(n):
            import os, utils
            with open("utils.py", "a") as file:
                file.write("# more\\n")
            return utils.WHO
        said = delayed(edit)(n).run()
        import utils as again
        return f"{said} {again is utils} {isinstance(utils.Thing(), again.Thing)} {'utils' in sys.modules}"
    print(outer(1).run(), outer(2).run())
    """
    assert run_script(shop, text) == "mine True True True mine True True True\n"


def test_a_module_of_the_job_that_a_module_of_the_user_imports(shop: Shop) -> None:
    """What holds on to the modules of one job is not for another."""
    shop.write("utils.py", "import conf\nWHO = conf.NAME\n")
    shop.write("conf.py", "NAME = 'of the disk'\n")
    text = f"""
    spawn(1)
    import types
    {ASKING.strip().replace(chr(10), chr(10) + "    ")}
    def said(name):
        with open("conf.py", "w") as file:
            file.write(f"NAME = {{name!r}}\\n")
        import conf, importlib
        importlib.reload(conf)
        ask.modules.conf = conf
        return ask(0).run()
    print(said("the first"), said("the other one"))
    """
    assert run_script(shop, text) == "the first the other one\n"


def test_a_compiled_module(shop: Shop) -> None:
    """It cannot be imported anew: another worker takes the place of one that has imported it."""
    compiled = next(Path(psutil.__file__).parent.glob("_psutil_*.so"))
    module = compiled.name.partition(".")[0]
    for name in ("one", "two"):
        _project(shop, name, utils=f"import {module}, os\nWHO = [{module}.__file__, os.getpid()]\n")
        shop.write(f"{name}/{compiled.name}", compiled.read_bytes())
    server = shop.server("--workers", "1")
    pids = []
    for number, name in enumerate(("one", "one", "two")):
        said = _ask(shop, name, f"{QUEUE}{ASKING}\nplace, pid = ask({number}).run()\nprint(place, pid)")
        place, pid = said.split()
        assert place == str(shop.dir / name / compiled.name)
        pids.append(int(pid))
    assert pids[0] == pids[1] != pids[2]
    until(lambda: server.workers() == pids[2:], "one worker to be left")
    assert shop.rows("SELECT MAX(deaths) FROM jobs") == [(0,)]


# -- the state of the process -----------------------------------------------------------------
SETTING = """
@delayed
def leave_behind(n):
    import decimal, locale, os, random, signal, sys, time, warnings
    import numpy
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    os.environ["LEFT"] = "behind"
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    os.umask(0o777)
    sys.path.insert(0, "/nowhere")
    sys.setrecursionlimit(120)
    decimal.getcontext().prec = 3
    numpy.seterr(all="raise")
    numpy.set_printoptions(precision=1)
    random.seed(n)
    numpy.random.seed(n)
    warnings.simplefilter("always")
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    locale.setlocale(locale.LC_ALL, "C")
    return n
@delayed
def state(n):
    import decimal, locale, os, signal, sys, time, warnings
    import numpy
    mask = os.umask(0o22)
    os.umask(mask)
    return repr([
        os.getcwd(), os.environ.get("LEFT"), os.environ.get("TZ"), time.tzname, mask, sys.path, sys.getrecursionlimit(),
        decimal.getcontext().prec, numpy.geterr(), numpy.get_printoptions()["precision"], warnings.filters,
        signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGUSR1), locale.setlocale(locale.LC_ALL),
    ])
@delayed
def draw(n):
    import random
    import numpy
    return [random.random(), random.gauss(0, 1), float(numpy.random.rand()), float(numpy.random.randn())]
"""


def test_what_a_job_sets_in_the_process(shop: Shop) -> None:
    text = "spawn(1)\ndraw(0).run()\nbefore = state(0).run()\nleave_behind(1).run()\nafter = state(1).run()\n"
    text += "print(before == after or before + chr(10) + after)\n"
    assert run_script(shop, SETTING + text) == "True\n"


def test_what_a_job_sets_in_the_process_and_dies_of(shop: Shop) -> None:
    text = "spawn(1)\nbefore = state(0).run()\nleave_behind(1).compute()\nprint(before == state(1).run())\n"
    assert run_script(shop, SETTING.replace("return n\n", "raise ValueError(n)\n", 1) + text) == "True\n"


def test_draws_that_another_job_has_seeded(shop: Shop) -> None:
    """Not even by another script, and not by the first seeding of a generator that was just loaded."""
    shop.server("--workers", "1")
    text = "leave_behind(7).run()\nprint(draw(int(sys.argv[1])).run())\n"
    drawn = []
    for number in range(2):
        drawn.append(run_script(shop, QUEUE + SETTING + text, str(number)))
    text = "spawn(1)\nleave_behind(7).run()\nprint(draw(0).run())\n"
    drawn += [run_script(shop, SETTING + text) for _ in range(2)]
    values = [value for line in drawn for value in line.strip("[]\n").split(", ")]
    assert len(set(values)) == len(values) == 16


def test_a_job_inside_a_job(shop: Shop) -> None:
    """It begins as if it ran alone, and leaves the other one as it was."""
    text = """
spawn(1)
@delayed
def outer(n):
    import decimal, os, random
    import numpy
    from seamless.transformer import delayed
    def inner(n):
        import decimal, os, random
        import numpy
        decimal.getcontext().prec = 7
        os.environ["INNER"] = "yes"
        random.seed(5)
        numpy.random.seed(5)
        return [os.getcwd(), os.environ.get("OUTER"), random.Random(5).random()]
    def draws(n):
        import random, numpy
        return [random.random(), float(numpy.random.rand())]
    drawn = []
    for with_jobs in (False, True):
        random.seed(n)
        numpy.random.seed(n)
        if with_jobs:
            inside = [delayed(draws)([n, i]).run() for i in range(2)]
        drawn.append([random.random(), float(numpy.random.rand())])
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    os.environ["OUTER"] = "yes"
    decimal.getcontext().prec = 4
    seen = delayed(inner)(n).run()
    mine = os.path.basename(os.getcwd()), os.environ.get("INNER"), decimal.getcontext().prec
    return repr([seen[0], seen[1], mine, drawn[0] == drawn[1], len({tuple(one) for one in [*inside, *drawn]})])
print(outer(3).run())
"""
    assert run_script(shop, text) == f"{[str(shop.dir), None, ('elsewhere', None, 4), True, 3]!r}\n"


def test_the_users_own_process_is_left_alone(shop: Shop) -> None:
    shop.write("utils.py", "WHO = 'before'\n")
    text = f"""
    {ASKING.strip().replace(chr(10), chr(10) + "    ")}
    print(ask(1).run())
    with open("utils.py", "w") as file:
        file.write("WHO = 'afterwards'\\n")
    print(ask(2).run(), delayed("import os\\nos.environ['LEFT'] = 'x'\\nresult = 1")().run(), os.environ["LEFT"])
    """
    assert run_script(shop, text) == "before\nbefore 1 x\n"
