"""How fast a batch is priced and how much memory it takes: a million points, ten times fewer, one worker and two.

`python -m bench.batch` prints a line a case. Each case is a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCENARIO = Path(__file__).parents[1] / "scenarios" / "support-triage.yaml"
BATCH = """\
scenarios: [{scenario}]
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, points: {volumes}, scale: log}}
  options.baseline.prefix_tokens: {{from: 500, to: 4000, points: 100}}
{more}"""
GROWTH = "  workload.growth_per_month: {from: 0, to: 0.05, points: 5}\n"
DRAWN = """\
scenarios: [{scenario}]
draws: {draws}
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, scale: log}}
  workload.growth_per_month: {{from: 0, to: 0.05}}
"""


def batch(points: int, kind: str) -> str:
    """The text of a batch file of so many points."""
    if kind == "drawn":
        return DRAWN.format(scenario=SCENARIO, draws=points)
    growths = 5 if kind == "growth" else 1
    return BATCH.format(scenario=SCENARIO, volumes=points // 100 // growths, more=GROWTH if growths > 1 else "")


def case(points: int, kind: str, place: str) -> dict[str, float]:
    """Wall and CPU seconds and the largest peak of any process, in MiB, of one batch."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batch.yaml"
        path.write_text(batch(points, kind), "utf-8")
        begin = time.monotonic()
        command = [sys.executable, "-m", "simulator", "batch", path, "--out", Path(folder) / "out", "--on", place]
        subprocess.run([*command, "--json"], check=True, stdout=subprocess.DEVNULL)
        wall_s = time.monotonic() - begin
        files = list(Path(folder, "out").rglob("*.parquet"))
        size_mb = sum(at.stat().st_size for at in files) / 1e6
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024,
        "files": len(files), "written_mb": size_mb,
    }


def main() -> None:
    """Every case in a process of its own."""
    cases = [
        (100_000, "quick", "serial"), (1_000_000, "quick", "serial"), (1_000_000, "quick", "processes:2"),
        (10_000_000, "quick", "processes:1"), (10_000_000, "quick", "processes:2"),
        (1_000_000, "growth", "processes:2"),
        (100_000, "drawn", "processes:1"), (100_000, "drawn", "processes:2"),
    ]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for points, kind, place in cases:
        code = f"import json; from bench.batch import case; print(json.dumps(case({points}, {kind!r}, {place!r})))"
        answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8")
        found = json.loads(answer.stdout)
        print(f"{points:>10,} {kind:6} {place:12}", ", ".join(f"{key} {value:.2f}" for key, value in found.items()))


if __name__ == "__main__":
    main()
