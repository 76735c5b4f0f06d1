"""What is worked out for one thread does not depend on what another asks of the same tables meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

import simulator
from simulator.expected import caching
from simulator.expected.caching import LogTable

Array = NDArray[np.float64]
LOWER, MIDDLE, UPPER = np.array([-6.0]), np.array([0.5]), np.array([6.0])


def squares(log_rate: Array) -> Array:
    return (log_rate**2)[:, None]


@pytest.mark.parametrize("meanwhile", [LOWER, UPPER])
@pytest.mark.parametrize("asked", [LOWER, MIDDLE, UPPER])
def test_a_table_that_another_asks_while_it_grows_still_gives_its_own_values(meanwhile: Array, asked: Array) -> None:
    asking = []

    def interrupted(log_rate: Array) -> Array:
        if not asking:                                          # another thread, just here
            asking.append(True)
            assert table(meanwhile) == pytest.approx(meanwhile**2)
        return squares(log_rate)

    table = LogTable(interrupted)
    table(MIDDLE)
    asking.clear()
    for rate in (asked, MIDDLE, LOWER, UPPER):
        assert table(rate) == pytest.approx(rate**2)
    assert asking


def test_sessions_that_share_a_process_get_the_numbers_they_get_alone() -> None:
    path = simulator.default_scenario_path().parent / "cases/support-triage-2025-01.yaml"  # hosted options only
    flags = [[f"workload.calls_per_day={calls:g}"] for calls in np.geomspace(20, 5e6, 24)]
    asked = [simulator.parse_scenario(path.read_bytes(), path.name, flag) for flag in flags]

    def totals(scenario: simulator.Scenario) -> list[float]:
        return [float(option.result.total_usd[0]) for option in simulator.compare(scenario).options.values()]

    caching_tables = [one for one in vars(caching).values() if hasattr(one, "cache_clear")]
    assert caching_tables
    for table in caching_tables:
        table.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(totals, asked))
    assert together == list(map(totals, asked))
