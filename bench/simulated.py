"""What the simulated engine costs: a year in hourly totals, 36 days call by call, and SimPy with a process per call.

Run `python -m bench.simulated`. Seconds are CPU seconds unless they say wall; compile time stands apart. Another
length of the call fidelity: `python -m bench.simulated 365`; the whole year, options side by side: `bench.year`.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np
import simpy

from simulator import Scenario, default_scenario_path, read_scenario
from simulator.run import run

HOSTED = ("long-prompt", "cheap-prompt")
FLEET = "rented-a100"


def asked(*changes: str) -> Scenario:
    return read_scenario(default_scenario_path(), changes)


def aggregate() -> None:
    scenario = asked()
    run(scenario, "long-prompt", engine="simulated", runs=1)
    three = [*HOSTED, "tuned-api"]
    for names, reach in ((three, " (reach: 5)"), (list(scenario.options), ", two of them fleets")):
        began = time.process_time()
        for name in names:
            run(scenario, name, engine="simulated", runs=200)
        spent = time.process_time() - began
        print(f"hourly totals: 365 days, 200 runs, {len(names)} options: {spent:.2f} CPU s{reach}")


def call_by_call(days: int) -> float:
    began = time.process_time()
    for name in ("long-prompt", FLEET):
        ready = f"options.{FLEET}.ready_after_days=0"
        run(asked("horizon_days=2", ready), name, engine="simulated", runs=1, fidelity="call")
    print(f"first call, compiling or reading the cache: {time.process_time() - began:.1f} CPU s")
    costs = []
    for volume in (10_000, 100_000, 1_000_000):
        scenario = asked(f"workload.calls_per_day={volume}", "workload.growth_per_month=0", "horizon_days=36")
        began, calls = time.process_time(), 0.0
        for name in HOSTED:
            calls += run(scenario, name, engine="simulated", runs=1, fidelity="call").calls[0]
        costs.append((time.process_time() - began) / calls)
        print(f"  {volume:9,} calls a day: {costs[-1] * 1e9:6.1f} CPU ns a call and option")
    exponent = 1.0 + math.log(costs[-1] / costs[0]) / math.log(100.0)
    print(f"  total time grows as volume ^ {exponent:.3f} from 10^4 to 10^6 calls a day (reach: 1.05)")
    scenario = asked(
        "workload.calls_per_day=1e6", "workload.growth_per_month=0", f"horizon_days={days}",
        f"options.{FLEET}.ready_after_days=0",
    )  # fmt: skip
    wall, cpu, calls, spent = time.perf_counter(), time.process_time(), 0.0, []
    for name in (*HOSTED, FLEET):
        before = time.process_time()
        calls += run(scenario, name, engine="simulated", runs=1, fidelity="call").calls[0]
        spent.append(f"{name} {time.process_time() - before:.1f}")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"call by call: {days} days at 1,000,000 calls a day, {len(HOSTED)} hosted options and a fleet, "
        f"{calls / 3e6:,.1f} million calls each: {wall:.1f} s wall, {cpu:.1f} CPU s ({', '.join(spent)}), "
        f"peak {peak:.0f} MiB"
    )
    return cpu / calls


def simpy_process_per_call(calls: int) -> float:
    """The plain way: each call is a process that draws its lengths, looks at the cache, and adds to the bill."""
    env, generator = simpy.Environment(), np.random.default_rng(0)
    bill, cache = [0.0] * 3, [-math.inf]

    def call(at: float) -> Iterator[simpy.Event]:
        yield env.timeout(at)
        hit = env.now - cache[0] <= 300.0
        cache[0] = env.now
        tokens, written = generator.lognormal(5.6, 0.7), generator.lognormal(3.5, 0.6)
        bill[0] += round(tokens) + (49 if hit else 2609)
        bill[1] += 2560 if hit else 0
        bill[2] += round(written)
        yield env.timeout(0.01 * written)

    began = time.process_time()
    for at in np.cumsum(generator.exponential(0.0864, calls)).tolist():
        env.process(call(at))
    env.run()
    return (time.process_time() - began) / calls


def main() -> None:
    """Print the table."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 36
    aggregate()
    each = call_by_call(days)
    plain = simpy_process_per_call(200_000)
    print(f"SimPy, a process per call, 200,000 calls: {plain * 1e6:.1f} CPU us a call, {plain / each:.0f} times that")


if __name__ == "__main__":
    main()
