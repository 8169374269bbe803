"""Makes data/VERSION.db: the database of a store as this version writes it, with one job that is done.

Run once for a release, with that release installed: python tests/migration/make_old_store.py. Never remake an
old one: it is what users have on their disks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

DATA = Path(__file__).with_name("data")
#: Its answer is small enough to lie in the database.
COMMAND = ("echo", "hello from an old store")


def main() -> None:
    """Run the command on a new store, and copy the database by SQLite's own means."""
    from seamless_queue.driver import library

    with tempfile.TemporaryDirectory() as place:
        store = os.path.join(place, "store")
        arguments = [sys.executable, "-m", "seamless.cli.run", "--store", store, *COMMAND]
        subprocess.run(arguments, cwd=place, stdin=subprocess.DEVNULL, check=True)
        target = DATA / f"{version('seamless-queue')}.db"
        target.unlink(missing_ok=True)
        connection = library().connect(os.path.join(store, "seamless.db"))
        # Who made it and where is nobody's business.
        connection.execute("UPDATE sessions SET host = 'host', boot = 'boot', pid_namespace = 'pid', address = ''")
        connection.execute("UPDATE requests SET directory = ?, context = NULL", (b"/old",))
        connection.execute("DELETE FROM contexts")
        connection.execute("DELETE FROM stat_cache")
        connection.commit()
        connection.execute("VACUUM INTO ?", (str(target),))
        connection.close()
        print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
