"""How fast a batch is priced and how much memory it takes: a million points, ten times fewer, one worker and two.

`python -m bench.batch` prints a line a case; `python -m bench.batch fleets lengths` those kinds alone. Each case is a
process of its own, so that its peak is its own. Hosted options alone, in the kinds:

quick    volume and prompt vary
growth   and growth, which lays the days out anew for each of its values
drawn    points drawn over volume and growth, so that every one has days of its own

With two fleets beside them, owned and rented:

fleets   volume and a hosted prompt vary: the fleets serve the same calls, more or fewer of them
lengths  volume and answers vary: every fleet serves calls of a hundred lengths
spread   points drawn over volume and answers: no two of them have calls of the same length
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

SCENARIO = Path(__file__).parents[1] / "scenarios" / "support-triage.yaml"
BATCH = """\
scenarios: [{scenario}]
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, points: {volumes}, scale: log}}
  options.baseline.prefix_tokens: {{from: 500, to: 4000, points: 100}}
{more}"""
GROWTH = "  workload.growth_per_month: {from: 0, to: 0.05, points: 5}\n"
LENGTHS = """\
scenarios: [{scenario}]
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, points: {volumes}, scale: log}}
  workload.tokens.output: {{from: 20, to: 400, points: 100}}
"""
SPREAD = """\
scenarios: [{scenario}]
draws: {draws}
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, scale: log}}
  workload.tokens.output: {{from: 20, to: 400}}
"""
DRAWN = """\
scenarios: [{scenario}]
draws: {draws}
vary:
  workload.calls_per_day: {{from: 1e3, to: 1e7, scale: log}}
  workload.growth_per_month: {{from: 0, to: 0.05}}
"""


def hosted() -> str:
    """The shipped question without its fleets."""
    page = yaml.safe_load(SCENARIO.read_text("utf-8"))
    page["options"] = {name: one for name, one in page["options"].items() if one["kind"] != "self_hosted"}
    page["assumes"] = {}
    return yaml.safe_dump(page, sort_keys=False)


def batch(points: int, kind: str) -> str:
    """The text of a batch file of so many points; `hosted.yaml` lies beside it."""
    if kind in ("drawn", "spread"):
        whole = kind == "spread"
        return (SPREAD if whole else DRAWN).format(scenario=SCENARIO if whole else "hosted.yaml", draws=points)
    if kind == "lengths":
        return LENGTHS.format(scenario=SCENARIO, volumes=points // 100)
    growths = 5 if kind == "growth" else 1
    scenario = SCENARIO if kind == "fleets" else "hosted.yaml"
    return BATCH.format(scenario=scenario, volumes=points // 100 // growths, more=GROWTH if growths > 1 else "")


def watched(top: int) -> dict[int, tuple[float, float]]:
    """CPU seconds and peak in MiB, so far, of a process and all below it, by number, as Linux tells them.

    Workers are nobody's children who waits for them, so that the usual account of children leaves them out.
    """
    parents, found = dict[int, int](), dict[int, tuple[float, float]]()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError, StopIteration):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            parents[int(path.name)] = int(fields[1])
            peak = next(line for line in (path / "status").read_text().splitlines() if line.startswith("VmHWM"))
            ticks = int(fields[11]) + int(fields[12])
            found[int(path.name)] = ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024
    below = {top}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return {number: one for number, one in found.items() if number in below}


def case(points: int, kind: str, place: str) -> dict[str, float]:
    """Wall seconds, CPU seconds of all processes, the largest peak of one and the sum of all peaks, of one batch."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batch.yaml"
        (Path(folder) / "hosted.yaml").write_text(hosted(), "utf-8")
        path.write_text(batch(points, kind), "utf-8")
        begin = time.monotonic()
        command = [sys.executable, "-m", "simulator", "batch", path, "--out", Path(folder) / "out", "--on", place]
        with subprocess.Popen([*command, "--json"], stdout=subprocess.DEVNULL) as process:
            used: dict[int, tuple[float, float]] = {}
            while process.poll() is None:
                used.update(watched(process.pid))
                time.sleep(0.25)
        if process.returncode:
            sys.exit(f"bench.batch: {kind} on {place} ended with exit code {process.returncode}")
        wall_s = time.monotonic() - begin
        files = list(Path(folder, "out").rglob("*.parquet"))
        size_mb = sum(at.stat().st_size for at in files) / 1e6
    return {
        "wall_s": wall_s, "cpu_s": sum(cpu_s for cpu_s, _ in used.values()),
        "peak_mib": max(peak for _, peak in used.values()), "all_peaks_mib": sum(peak for _, peak in used.values()),
        "files": len(files), "written_mb": size_mb,
    }


CASES = (
    (100_000, "quick", "serial"), (1_000_000, "quick", "serial"), (1_000_000, "quick", "processes:2"),
    (10_000_000, "quick", "processes:1"), (10_000_000, "quick", "processes:2"),
    (1_000_000, "growth", "processes:2"),
    (100_000, "drawn", "processes:1"), (100_000, "drawn", "processes:2"),
    (1_000_000, "fleets", "processes:2"),
    (100_000, "lengths", "serial"), (1_000_000, "lengths", "processes:2"),
    (100_000, "spread", "processes:1"), (100_000, "spread", "processes:2"),
)


def main(kinds: list[str]) -> None:
    """Every case of the kinds named, or of all, in a process of its own."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for points, kind, place in wanted(kinds):
        code = f"import json; from bench.batch import case; print(json.dumps(case({points}, {kind!r}, {place!r})))"
        answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8")
        found = json.loads(answer.stdout)
        print(f"{points:>10,} {kind:7} {place:12}", ", ".join(f"{key} {value:.2f}" for key, value in found.items()))


def wanted(kinds: list[str]) -> Iterator[tuple[int, str, str]]:
    """The cases of the kinds named; all where none is."""
    known = {kind for _, kind, _ in CASES}
    if unknown := [kind for kind in kinds if kind not in known]:
        sys.exit(f'bench.batch: no kind "{unknown[0]}"; there are {", ".join(sorted(known))}')
    yield from (one for one in CASES if not kinds or one[1] in kinds)


if __name__ == "__main__":
    main(sys.argv[1:])
