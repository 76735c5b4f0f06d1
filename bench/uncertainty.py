"""How long the studies of uncertainty take, in CPU seconds: draws, map, flips, Sobol, break-even, outlook.

Of four hosted options, and of the shipped scenario with its two fleets. Run `python -m bench.uncertainty`. Every figure
is the best of several rounds after one that fills the cache tables; what the first round costs stands beside it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from pricing.load import shipped_book
from simulator.domain.dials import walk_dials
from simulator.domain.options import HostedOption
from simulator.domain.ranges import Pert
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario
from simulator.studies.breakeven import break_even
from simulator.studies.compare import compare
from simulator.studies.flip import flips
from simulator.studies.map import cost_map
from simulator.studies.moves import movable, supposed
from simulator.studies.outlook import outlook
from simulator.studies.probability import sample, uncertainty, worth_of_knowing
from simulator.studies.sensitivity import sobol, tornado
from simulator.studies.sweep import axis, sweep
from simulator.studies.turns import sign_changes

ROUNDS = 3
CALLS, PREFIX = "workload.calls_per_day", "options.cheap-prompt.prefix_tokens"


def four_hosted() -> Scenario:
    """The shipped scenario without its fleets, and with a fourth option, a dearer model prompted as today."""
    scenario: Scenario = read_scenario(default_scenario_path())
    hosted = {name: option for name, option in scenario.options.items() if isinstance(option, HostedOption)}
    dear = dataclasses.replace(scenario.options["long-prompt"], price_factor=1.2)
    return dataclasses.replace(scenario, options={**hosted, "dear-prompt": dear})


def uncertain(scenario: Scenario) -> Scenario:
    """Ten uncertain inputs, growth and volume among them."""
    found = {
        at.path: Pert(low=at.value * 0.7, mode=at.value, high=at.value * 1.5)
        for at in walk_dials(scenario)
        if at.path in scenario.set_paths and at.value > 0 and "demand" not in at.path and "_days" not in at.path
    }
    kept = dict(list(found.items())[:10])
    return dataclasses.replace(scenario, ranges=kept)


def staircase(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A price per call against up to 40 whole replicas, as made-up costs."""
    fleet = 900 + 1300 * np.minimum(np.ceil(calls / 2.5e5), 40) + 0.0004 * calls
    return fleet - 0.0058 * calls, fleet + 0.0058 * calls


def measured(what: str, work: Callable[[], object], reach_s: float | None = None) -> None:
    """Print the CPU seconds of the first and of the best further round, beside what is to be reached."""
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    reach = "" if reach_s is None else f"; reach {reach_s:g}: {'yes' if min(seconds[1:]) <= reach_s else 'NO'}"
    print(f"  {what:64} {min(seconds[1:]):8.3f}  (first {seconds[0]:.3f}{reach})")


def main() -> None:
    """Print the tables."""
    hosted, fleets = four_hosted(), read_scenario(default_scenario_path())
    print(f"CPU seconds, best of {ROUNDS}; 365 days, expected engine; {len(hosted.options)} hosted options")
    table(hosted)
    stairs = 2.5e5 * np.arange(1, 41)
    points = np.unique(np.concatenate([np.geomspace(1, 1e7, 2001), stairs, stairs * (1 + 1e-9)]))
    measured("break-even over 7 decades, 40 replicas (made-up costs)", lambda: sign_changes(staircase, points), 0.1)
    axes = [axis(hosted, f"{CALLS}=10..1e6:1000:log"), axis(hosted, f"{PREFIX}=100..5000:1000")]
    measured("sweep of 1,000,000 points", lambda: sum(len(piece.cheapest) for piece in sweep(hosted, axes)))
    print(f"\nThe shipped scenario: {len(fleets.options)} options, two of them fleets")
    table(fleets)
    measured("100 x 100 map over volume and output", lambda: cost_map(fleets, CALLS, "workload.tokens.output"), 1)
    measured("break-even of the fleet of one's own", lambda: break_even(fleets, (fleets.baseline, "own-4090")), 0.1)


def table(scenario: Scenario) -> None:
    """Print what every study of a scenario takes."""
    ranged, book = uncertain(scenario), shipped_book()
    supposed_ = supposed(scenario)[0]
    drawn = sample(ranged)
    measured("10,000 draws of 10 inputs, growth among them", lambda: sample(ranged), 2)
    measured("chances and regret of those draws", lambda: uncertainty(drawn))
    measured("value of knowing each of those inputs", lambda: worth_of_knowing(drawn))
    measured("compare with these ranges, break-even and payback over draws", lambda: compare(ranged))
    measured("100 x 100 map", lambda: cost_map(scenario, CALLS, PREFIX), 1)
    measured("100 x 100 map over volume and growth", lambda: cost_map(scenario, CALLS, "workload.growth_per_month"), 1)
    measured(f"all flips of {len(movable(scenario))} dials", lambda: flips(scenario), 1)
    measured("tornado of all dials", lambda: tornado(scenario))
    measured(f"Sobol, N = 1,024 over {len(supposed_.ranges)} inputs", lambda: sobol(supposed_), 3)
    pair = (scenario.baseline, "tuned-api")
    measured("break-even of the tuned option, both bases and payback", lambda: break_even(scenario, pair), 0.1)
    measured("outlook: 2,000 price paths, three waits", lambda: outlook(scenario, book))


if __name__ == "__main__":
    main()
