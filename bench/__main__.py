"""Runs every subject of this folder, or those named, each in a process of its own: `python -m bench [SUBJECT ...]`.

A subject is a file here that can be run by itself (`python -m bench.expected`). What it prints are CPU seconds, the
best of several rounds, and ratios within one run; they are read by a person, beside what the design wants to reach,
and no test ever fails on them. On a machine that is busy, run it again and believe the smaller number.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def subjects() -> dict[str, str]:
    """Every subject with the sentence it opens with."""
    files = sorted(path for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    told = {path.stem: ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in files}
    return {name: sentence.partition("\n")[0] for name, sentence in told.items()}


def main(wanted: list[str]) -> int:
    """Run the subjects wanted, or all; the exit code is that of the worst."""
    known = subjects()
    for name in wanted:
        if name not in known:
            print(f'bench: no subject "{name}"; there are {", ".join(known)}', file=sys.stderr)
            return 2
    worst = 0
    for name in wanted or known:
        print(f"\n{name}: {known[name]}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=HERE.parent, check=False)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
