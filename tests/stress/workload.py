"""300 commands that depend on each other in all ways, and always write the same bytes."""

from __future__ import annotations

import random
from pathlib import Path

#: So many commands are alone, the others in chains, diamonds and a fan-in.
ALONE, CHAINS, LINKS, DIAMONDS, DIRECTORIES = 120, 10, 10, 15, 10


def commands(seed: int) -> list[str]:
    """One line each, in an order in which they can be submitted."""
    chance = random.Random(seed)

    # After the command: words are taken for inputs in the first one.
    def nap() -> str:
        return f"; sleep 0.{chance.randrange(100):03};"

    lines = []
    for n in range(ALONE):
        much = chance.choice((1, 10, 3000, 30000))
        lines.append(f"{{ seq {n} {n + much}{nap()} }} > alone{n}.txt")
    for n in range(CHAINS):
        lines.append(f"{{ seq {n} 5000{nap()} }} > chain{n}.txt")
        # Each link reads the old version of the file that it writes.
        lines += [f"{{ echo {n}.{k}{nap()} }} >> chain{n}.txt" for k in range(LINKS - 2)]
        lines.append(f"{{ cksum chain{n}.txt{nap()} }} > sum{n}.txt")
    for n in range(DIAMONDS):
        lines.append(f"{{ seq {n} 2000{nap()} }} > top{n}.txt")
        lines.append(f"{{ sort top{n}.txt{nap()} }} > left{n}.txt")
        lines.append(f"{{ sort -r top{n}.txt{nap()} }} > right{n}.txt")
        lines.append(f"{{ paste left{n}.txt right{n}.txt{nap()} }} > bottom{n}.txt")
    for n in range(DIRECTORIES):
        lines.append(f"{{ cksum bottom{n}.txt{nap()} }} > deep/{n}/sum.txt")
    lines.append(f"cat {' '.join(f'sum{n}.txt' for n in range(CHAINS))} > sums.txt")
    lines.append(f"cat {' '.join(f'deep/{n}/sum.txt' for n in range(DIRECTORIES))} > deeps.txt")
    tops = " ".join(f"alone{n}.txt" for n in range(ALONE))
    lines += [f"cksum {tops} > everything.txt", "cat everything.txt sums.txt deeps.txt > all.txt"]
    lines += [f"{{ head -{n + 1} all.txt{nap()} }} > last{n}.txt" for n in range(300 - len(lines))]
    assert len(lines) == 300
    return lines


def contents(directory: Path) -> dict[str, bytes]:
    """All files below a directory, byte for byte."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
