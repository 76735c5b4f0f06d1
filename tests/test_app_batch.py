"""The batch page prices what the batch command prices, filters it truly, and reads no file of its server."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import simulator
from pricing.errors import InputError
from simulator import charts
from simulator.cli import main
from simulator.domain.batch_points import BatchPoints
from tests.dashboards import until, words

PAGE = "from dashboard import batches, question\nquestion.begin()\nbatches.page()\n"
SMALL = b"""
scenarios: [../support-triage.yaml, ../cases/small-volume.yaml]
vary:
  workload.calls_per_day: {from: 100, to: 1e6, points: 5, scale: log}
  options.baseline.prefix_tokens: [500, 2500]
"""
SENT = {"sent batch": ("small.yaml", SMALL, ())}


def opened(**state: Any) -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60)
    for key, value in state.items():
        page.session_state[key.replace("_", " ")] = value
    return page.run()


def ran(page: AppTest) -> AppTest:
    """The page when its batch has ended, by this test or by one before it."""
    begin = next(button for button in page.button if button.label == "Run the batch")
    if not begin.disabled:
        begin.click()
        page.run()
    until(lambda: not any(button.label == "Stop" for button in page.run().button))
    return page


@pytest.fixture(scope="module")
def priced() -> BatchPoints:
    batch = simulator.parse_batch(SMALL, "small.yaml")
    groups = [tuple((piece, batch.members[piece.member]) for piece in group) for group in batch.tasks(batch.pieces())]
    done = [
        one for group in groups
        for one in simulator.price_task(
            simulator.BatchTask(pieces=group, engine="expected", packed=simulator.packed))
    ]
    assert all(one.problem is None for one in done)
    return simulator.batch_points(batch, [(one.piece, one.content) for one in done])


def test_the_table_holds_what_the_batch_command_writes(priced: BatchPoints, tmp_path: Path) -> None:
    shipped = simulator.default_scenario_path().parent
    text = SMALL.decode().replace("../", f"{shipped}/")
    (tmp_path / "small.yaml").write_text(text, "utf-8")
    assert main(["batch", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert len(priced) == summary["points"] == 20
    for name, told in summary["scenarios"].items():
        mine = priced.where({"scenario": [name]})
        assert {word: int(np.sum(mine.columns["choice"] == word)) for word in mine.words("choice")} == told["choices"]
        assert mine.span("total_usd") == pytest.approx((told["total_usd"]["min"], told["total_usd"]["max"]))


def test_a_scenario_has_no_value_on_the_axis_of_another(priced: BatchPoints) -> None:
    axes = [name for name in priced.columns if name.endswith("prefix_tokens")]
    given = np.array([np.isfinite(priced.columns[axis]) for axis in axes])
    assert np.all(given.sum(axis=0) == 1)


def test_filters_keep_what_passes_and_nothing_else(priced: BatchPoints) -> None:
    some = priced.where({"scenario": ["small-volume"]}, {"workload.calls_per_day": (1000.0, 2e4)})
    assert {row["workload.calls_per_day"] for row in some.rows()} == {1000.0, 10_000.0}
    assert {row["scenario"] for row in some.rows()} == {"small-volume"}
    assert len(some) == 4
    assert len(priced.where({"choice": []})) == 0


def test_a_chart_draws_every_point_once_on_scales_that_suit(priced: BatchPoints) -> None:
    chart = charts.batch_scatter(priced, "workload.calls_per_day", "total_usd", "scenario")
    assert sum(len(trace.x) for trace in chart.data) == len(priced)
    assert chart.layout.xaxis.type == "log"
    assert len(chart.data) == 2
    assert "20 points" in chart.layout.meta["alt"]


def looks(page: AppTest) -> dict[str, tuple[str, str]]:
    """Colour and symbol of each word of the chart that the page shows."""
    told = next(part.proto.bytes for part in page.get("bidi_component") if b"figure" in part.proto.bytes)
    groups = json.loads(json.loads(told)["chart"]["figure"])["data"]
    return {group["name"].split("  ")[0]: (group["marker"]["color"], group["marker"]["symbol"]) for group in groups}


def on_cards(path: Path) -> dict[str, str]:
    """The colour of each option on the cards of its scenario."""
    asked = simulator.read_scenario(path)
    return {one.option: one.colour for one in simulator.headlines(simulator.compare(asked, flips=False))}


def test_an_option_looks_as_on_the_pages_of_its_scenario_whatever_is_filtered() -> None:
    page = ran(opened(sent_batch=SENT["sent batch"]))
    cards = on_cards(simulator.default_scenario_path())
    seen: dict[str, tuple[str, str]] = {}
    for wanted in ([], ["own-4090"], ["tuned"]):
        page.multiselect(key="only choice").set_value(wanted)
        page.run()
        now = looks(page)
        seen = now | seen
        assert {option: seen[option] for option in now} == now
    both = seen.keys() & cards.keys()
    assert len(both) > 1
    assert {option: seen[option][0] for option in both} == {option: cards[option] for option in both}


def test_a_batch_of_decisions_is_shown_and_coloured_by_what_was_best_afterwards() -> None:
    page = opened()
    page.selectbox(key="which batch").set_value("decided-monthly").run()
    ran(page)
    assert "27 of 27 points" in words(page)
    page.selectbox(key="batch colour").set_value("best").run()
    assert set(looks(page)) <= {"long-prompt", "gpt-4o", "tuned"}


@pytest.mark.parametrize("asked", ["support-triage", "hundred-thousand-a-day", "support-triage-2024-09"])
def test_where_options_of_many_scenarios_meet_no_two_share_a_colour_while_there_is_another(asked: str) -> None:
    page = AppTest.from_string(PAGE, default_timeout=60)
    page.query_params["scenario"] = asked
    page.run()
    page.selectbox(key="which batch").set_value("article-cases").run()
    cards = on_cards(next(path for path in simulator.shipped_scenarios() if path.stem == asked))
    seen = looks(ran(page))
    assert len(seen) == len({colour for colour, _ in seen.values()}) == 7
    assert {option: seen[option][0] for option in seen.keys() & cards.keys()} == {
        option: colour for option, colour in cards.items() if option in seen}
    page.selectbox(key="batch colour").set_value("runner_up").run()
    more = looks(page)
    assert len(more) == len(set(more.values())) == 14
    assert {option: more[option][0] for option in more.keys() & cards.keys()} == {
        option: colour for option, colour in cards.items() if option in more}


def test_the_table_names_options_in_the_order_of_their_scenario(priced: BatchPoints) -> None:
    asked = simulator.read_scenario(simulator.default_scenario_path())
    assert priced.options[: len(asked.options)] == tuple(asked.options)


def test_the_page_runs_a_batch_and_filters_it() -> None:
    page = ran(opened(sent_batch=SENT["sent batch"]))
    assert not page.exception
    assert "20 of 20 points" in words(page)
    page.multiselect(key="only scenario").set_value(["small-volume"])
    page.run()
    assert "10 of 20 points" in words(page)
    assert len(page.dataframe[0].value) == 10


def test_what_is_saved_is_what_is_shown(priced: BatchPoints) -> None:
    rows = list(csv.DictReader(io.StringIO(simulator.as_csv(priced.rows()))))
    assert len(rows) == 20
    assert {row["scenario"] for row in rows} == {"support-triage", "small-volume"}
    assert sum(float(row["total_usd"]) for row in rows) == pytest.approx(priced.columns["total_usd"].sum())
    assert simulator.as_parquet(priced.rows()).startswith(b"PAR1")


@pytest.mark.parametrize("named", ["/etc/hostname", "../../secret.yaml", "../../*", "../cases/../../../x.yaml"])
def test_a_sent_batch_cannot_name_a_file_of_the_server(named: str) -> None:
    with pytest.raises(InputError, match="neither sent nor shipped"):
        simulator.parse_batch(f"scenarios: ['{named}']\n".encode(), "mine.yaml")


def test_a_sent_scenario_is_found_beside_its_batch_and_mistakes_name_the_file_as_sent() -> None:
    raw = simulator.default_scenario_path().read_bytes()
    batch = simulator.parse_batch(b"scenarios: [mine.yaml]\n", "b.yaml", {"mine.yaml": raw})
    assert [member.source for member in batch.members] == ["mine.yaml"]
    with pytest.raises(InputError) as mistake:
        simulator.parse_batch(b"scenarios: [mine.yaml]\n", "b.yaml", {"mine.yaml": b"baselin: x\n"})
    assert "mine.yaml:1" in str(mistake.value)
    assert "tunepoint-" not in str(mistake.value)


def test_a_batch_with_a_mistake_is_told_in_one_sentence() -> None:
    page = opened(sent_batch=("bad.yaml", b"scenarios: [nothing.yaml]\n", ()))
    told = [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    assert len(told) == 1
    assert "nothing.yaml" in told[0]
    assert "tunepoint-" not in told[0]


def test_the_batch_that_was_sent_last_is_shown_with_the_scenarios_sent_before_it() -> None:
    page = opened()
    bad = ("bad.yaml", b"scenarios: [../../../../etc/passwd]\n", "text/yaml")
    mine = ("mine.yaml", simulator.default_scenario_path().read_bytes(), "text/yaml")
    page.file_uploader(key="batch files").set_value([bad, mine]).run()
    assert "neither sent nor shipped" in words(page)
    good = ("good.yaml", SMALL.replace(b"../support-triage.yaml", b"mine.yaml"), "text/yaml")
    page.file_uploader(key="batch files").set_value([bad, mine, good]).run()
    assert "20 points of 2 scenarios" in words(page)
    page.selectbox(key="which batch").select("article-cases").run()
    page.file_uploader(key="batch files").set_value([bad, mine, good, ("last.yaml", bad[1], bad[2])]).run()
    assert page.selectbox(key="which batch").value == "last.yaml"
    assert "neither sent nor shipped" in words(page)


def test_a_batch_too_large_for_a_page_is_sent_to_the_command_line() -> None:
    large = SMALL.replace(b"points: 5", b"points: 50000")
    page = opened(sent_batch=("large.yaml", large, ()))
    assert "200,000 points" in words(page)
    assert "run tunepoint batch for more" in words(page)
    assert not page.button
