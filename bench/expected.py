"""How fast the expected engine answers: one bill, a comparison, a scan, 10,000 draws, and the program from cold.

Read each row as CPU seconds against the reach of the design: `0.4x` is well inside, `2.0x` takes twice as long as
wanted. Warm rows repeat in one process, so tables of hit shares are kept; cold rows start the program anew.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from simulator.domain.drawn import Draws
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.run import run
from simulator.studies.breakeven import VOLUME, break_even
from simulator.studies.compare import compare

ROOT = Path(__file__).parents[1]
DRAWS = 10_000
ROUNDS = 15
FOURTH = "options.nano-prompt={like: cheap-prompt, price: openai/gpt-5.4-nano}"


def question() -> Scenario:
    """The shipped question with four hosted options and no fleet."""
    whole = read_scenario(default_scenario_path(), [FOURTH])
    hosted = {name: option for name, option in whole.options.items() if option.kind.startswith("hosted")}
    return dataclasses.replace(whole, options=hosted)


def staircase() -> Scenario:
    """The shipped question without spread, where the owned cards are forty rented ones."""
    flags = ["options.own-4090.fleet.replicas.max=40", "options.own-4090.gpu=runpod-community/rtx-4090",
             "workload.demand={weekday: flat, hours: flat, day_sd: 0, hour_sd: 0}"]
    return read_scenario(default_scenario_path(), flags)


def drawn(size: int) -> Draws:
    """Dials turned together, as uncertainty turns them: volume, growth, lengths, prices, caches."""
    rng = np.random.default_rng(1)
    return {
        VOLUME: rng.lognormal(np.log(50_000), 0.5, size),
        "workload.growth_per_month": rng.normal(0.03, 0.01, size),
        "workload.tokens.input": rng.lognormal(np.log(350), 0.3, size),
        "workload.tokens.output": rng.lognormal(np.log(40), 0.3, size),
        "options.long-prompt.price_factor": rng.uniform(0.7, 1.3, size),
        "options.tuned-api.training.examples": rng.uniform(500, 1200, size),
        "options.tuned-api.retries.failure_rate": rng.uniform(0, 0.05, size),
    }


def cpu_s(work: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """CPU seconds of this process: best and median of several rounds."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took), statistics.median(took)


def child_s(*args: str, rounds: int = 5) -> tuple[float, float, float]:
    """CPU seconds (best, median) and wall seconds (best) of the program as a process of its own."""
    cpu, wall = [], []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(rounds):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "simulator", *args], check=True, capture_output=True, env=environment, cwd=ROOT
        )
        wall.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(cpu), statistics.median(cpu), min(wall)


def peak_mib(work: Callable[[], object]) -> float:
    """The most memory that Python and NumPy held at once during the work, above what they held before."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def row(what: str, best: float, median: float, reach: float | None, more: str = "") -> None:
    """One line of the table, in milliseconds of CPU."""
    against = f"{best / reach:5.1f}x of {1000 * reach:,.0f} ms" if reach else ""
    print(f"  {what:58}{1000 * best:9,.1f} {1000 * median:9,.1f}   {against:18}{more}")


def main() -> None:
    """Print the table."""
    print(f"  {'':58}{'best ms':>9} {'median':>9}   reach")
    began = time.process_time()
    scenario = question()
    row("read the question and bind its prices, once", time.process_time() - began, time.process_time() - began, None)
    began = time.process_time()
    compare(scenario)
    row("compare, 4 options x 365 days, tables of hit shares empty", *(2 * [time.process_time() - began]), None)

    bills = cpu_s(lambda: [run(scenario, name) for name in scenario.options])
    row("4 options x 365 days, warm", *bills, 0.010)
    whole = cpu_s(lambda: compare(scenario))
    row("compare with break-evens and verdict, warm", *whole, 0.010, f"{whole[0] / bills[0]:.1f} times the bills alone")
    fleets = read_scenario(default_scenario_path())
    compare(fleets)
    both = cpu_s(lambda: [run(fleets, name) for name in fleets.options])
    row("3 hosted options and 2 fleets x 365 days, warm", *both, 0.030)
    row("compare with 2 fleets, break-evens and verdict, warm", *cpu_s(lambda: compare(fleets), 5), None)
    stairs = staircase()
    row("break-even over 7 decades, stairs of 40 replicas, both bases",
        *cpu_s(lambda: break_even(stairs, ("long-prompt", "own-4090"), low=10.0, high=1e8)), 0.100)
    pair = ("long-prompt", "tuned-api")
    scan = cpu_s(lambda: break_even(scenario, pair))
    row("break-even of a pair along volume, both bases, payback", *scan, None)

    draws = drawn(DRAWS)

    def draw_all() -> None:
        for name in scenario.options:
            run(scenario, name, draws=draws)

    many = cpu_s(draw_all, 5)
    row(f"{DRAWS:,} draws x 4 options x 365 days", *many, 2.0,
        f"{DRAWS * bills[0] / many[0]:,.0f} times faster than one by one")
    print(f"  {'':58}peak memory {peak_mib(draw_all):.0f} MiB above the start (chunks of at most 64 MiB are wanted)")

    hosted = ("compare", "scenarios/cases/small-volume.yaml")
    for what, args, reach in (
        ("--help", ("--help",), 0.5), ("compare of hosted options", hosted, 2.5),
        ("compare with 2 fleets", ("compare",), None),
    ):
        best, median, wall = child_s(*args)
        row(f"tunepoint {what}, cold", best, median, reach, f"{1000 * wall:,.0f} ms by the clock")


if __name__ == "__main__":
    main()
