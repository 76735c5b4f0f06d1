"""What a year at a million calls a day costs, call by call: two hosted options and a fleet, one run, all cores.

Run `python -m bench.year`, or `python -m bench.year 36` for 36 days instead of 365. Reach: 60 s wall on 2 cores and
1,024 MiB; twice: an autoscaled fleet behind a long cached prompt, and 13 cards that are always on. Compile time stands
apart. On a busy machine wall seconds say little: CPU seconds over the cores used are what it takes alone.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
import time

from simulator import Scenario, default_scenario_path, read_scenario
from simulator.studies.runs import play

MILLION = ("workload.calls_per_day=1e6", "workload.growth_per_month=0")
TRIAGE = ("long-prompt", "cheap-prompt", "rented-a100")
BURSTY = ("hosted", "another", "cards-for-the-peak")


def questions(days: int) -> dict[str, Scenario]:
    """The two scenarios, with only the three options of each."""
    ready = f"options.{TRIAGE[-1]}.ready_after_days=0"
    triage = read_scenario(default_scenario_path(), [*MILLION, f"horizon_days={days}", ready])
    another = "options.another={kind: hosted_prompt, price: openai/gpt-5.4-mini}"
    path = default_scenario_path().with_name("bursty-million.yaml")
    bursty = read_scenario(path, [*MILLION, f"horizon_days={days}", another])
    return {
        scenario.name: dataclasses.replace(scenario, options={name: scenario.options[name] for name in names})
        for scenario, names in ((triage, TRIAGE), (bursty, BURSTY))
    }


def main() -> None:
    """Print a line for each question."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 365
    began = time.process_time()
    for scenario in questions(2).values():
        play(scenario, 1, fidelity="call")
    print(f"first call, compiling or reading the cache: {time.process_time() - began:.1f} CPU s")
    for name, scenario in questions(days).items():
        wall, cpu = time.perf_counter(), time.process_time()
        found = play(scenario, 1, fidelity="call")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        calls = found.mean[scenario.baseline].calls[0]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {days} days, {calls / 1e6:,.1f} million calls, {len(scenario.options)} options: {wall:.1f} s "
            f"wall on {os.cpu_count()} cores, {cpu:.1f} CPU s, peak {peak:.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
