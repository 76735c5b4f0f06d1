"""Sessions that ask the same share one job and its answer, and yet each stops for itself alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.workshop import Workshop
from simulator import Crew
from tests.dashboards import nap, until

NAPS = [0.05] * 12


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    found = Crew(1)
    yield found
    found.close()


@pytest.fixture
def shop(crew: Crew) -> Workshop:
    found = Workshop()
    found.crew = crew
    return found


def test_who_stops_keeps_what_was_found_and_the_other_is_served_to_the_end(shop: Workshop) -> None:
    job = shop.begin("question", nap, NAPS, "one")
    assert shop.begin("question", nap, NAPS, "other") is job
    until(lambda: job.found)
    left = shop.leave("question", "one")
    assert left is not None
    assert left.state == "stopped"
    assert 1 <= len(left.found) < len(NAPS)
    assert shop.job("question", "one") is None
    assert shop.job("question", "other") is job
    until(lambda: job.state == "done")
    assert job.results == NAPS
    assert len(left.found) < len(NAPS)


def test_the_last_to_stop_ends_the_work(shop: Workshop) -> None:
    job = shop.begin("question", nap, NAPS, "one")
    shop.begin("question", nap, NAPS, "other")
    shop.leave("question", "one")
    assert job.state == "running"
    shop.leave("question", "other")
    assert job.state == "stopped"
    again = shop.begin("question", nap, NAPS[:1], "one")
    assert again is not job
    until(lambda: again.state == "done")


def test_an_answer_serves_everybody_and_work_under_way_only_who_asked(shop: Workshop) -> None:
    job = shop.begin("question", nap, NAPS[:2], "one")
    assert shop.job("question", "other") is None
    until(lambda: job.state == "done")
    assert shop.job("question", "other") is job
    assert shop.leave("question", "other") is job
    assert shop.leave("nothing", "other") is None
