"""Each attempt records what it found around it, without secrets; what was asked for can be done again without them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .script import run_script
from .shop import Shop

SECRET = "s3cr3t-value"
SECRETS = {
    "MY_TOKEN": SECRET,
    "db_password": SECRET,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "DATABASE_URL": f"postgres://me:{SECRET}@host/base",
    "GREETING": f"ghp_{SECRET}",
    "PLAIN": "told",
}


def records(shop: Shop) -> list[dict[str, Any]]:
    rows = shop.rows(
        "SELECT environments.content FROM attempts JOIN environments ON environments.checksum = attempts.environment"
        " ORDER BY attempts.id"
    )
    return [json.loads(row[0]) for row in rows]


def test_a_command_records_machine_tools_and_variables(shop: Shop) -> None:
    shop.write("a.txt", "1\n")
    shop.good("-c", "sort a.txt | nohup env X=1 uniq -c > o.txt; f() { echo; }; f; 'wc' -l < a.txt; nowhere || true")
    (record,) = records(shop)
    assert record["host"] == os.uname().nodename
    assert record["platform"]["machine"] == os.uname().machine
    assert set(record["tools"]) == {"bash", "sort", "nohup", "env", "uniq", "wc", "nowhere"}
    sort = record["tools"]["sort"]
    assert (Path(sort["path"]).name, sort["size"]) == ("sort", os.stat(sort["path"]).st_size)
    assert record["tools"]["nowhere"] is None
    assert record["variables"]["HOME"] == str(shop.home)


def test_python_records_interpreter_and_packages(shop: Shop) -> None:
    script = f"""
        seamless.config.select_store({str(shop.store)!r})
        import numpy
        @direct
        def with_import(x):
            import json, yaml
            return x
        @direct
        def with_array(x):
            return float(x.sum())
        @direct
        def bad(x):
            import yaml
            raise ValueError(x)
        with_import(1)
        with_array(numpy.ones(3))
        try:
            bad(1)
        except TransformationError:
            pass
    """
    run_script(shop, script)
    import numpy
    import yaml

    first, second, third = records(shop)
    assert first["packages"] == third["packages"] == {"yaml": yaml.__version__}
    assert second["packages"] == {"numpy": numpy.__version__}
    assert first["python"]["version"] == ".".join(map(str, sys.version_info[:3]))


def test_the_same_surroundings_are_recorded_once(shop: Shop) -> None:
    script = f"""
        seamless.config.select_store({str(shop.store)!r})
        @direct
        def same(x):
            return x
        for number in range(50):
            same(number)
        os.environ["OMP_NUM_THREADS"] = "3"
        same(-1)
    """
    run_script(shop, script)
    found = records(shop)
    assert len(found) == 51
    assert shop.rows("SELECT COUNT(*) FROM environments") == [(2,)]
    assert (found[49]["variables"].get("OMP_NUM_THREADS"), found[50]["variables"]["OMP_NUM_THREADS"]) == (None, "3")


def test_no_secret_stays(shop: Shop) -> None:
    metavariables = ("--metavar", f"API_KEY={SECRET}", "--metavar", "T=1")
    shop.good(*metavariables, "-c", 'echo "${#MY_TOKEN} ${#API_KEY}" > o.txt', env=SECRETS)
    assert shop.read("o.txt") == f"{len(SECRET)} {len(SECRET)}\n"
    shop.run(*metavariables, "-c", 'echo "${#API_KEY}" >&2; exit 3', env=SECRETS)
    shop.good(*metavariables, "-c", 'echo "${#MY_TOKEN} ${#API_KEY}" > o.txt', env=SECRETS)
    assert shop.rows("SELECT COUNT(*) FROM contexts") == [(0,)], "neither runs nor hits leave an environment behind"
    shop.submit(*metavariables, "-c", 'echo "${#API_KEY}" > q.txt', env=SECRETS)
    shop.work_off()
    for record in records(shop):
        assert record["variables"]["PLAIN"] == "told"
        assert {record["variables"][name] for name in SECRETS if name != "PLAIN"} == {"(not recorded)"}
        assert record["metavariables"] == {"API_KEY": "(not recorded)", "T": "1"}
    kept = [json.loads(row[0]) for row in shop.rows("SELECT metavariables FROM requests")]
    assert kept == [{"T": "1"}] * 4
    assert shop.rows("SELECT COUNT(*) FROM contexts") == [(0,)]
    for command in (("seamless-why", "1"), ("seamless-why", "--json", "2"), ("seamless-why", "q.txt")):
        ended = shop.call(*command)
        assert (ended.status, SECRET in ended.out.decode()) == (0, False)
