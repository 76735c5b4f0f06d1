"""The prices page lists machines as the command line does, searches them, and tells their past and their sources."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest
from command_line import QUESTION, tunepoint
from streamlit.testing.v1 import AppTest

import simulator
from dashboard import gpu_prices
from pricing.book import PriceBook
from pricing.changes import differences, rates, typed_anew
from pricing.load import inline_prices
from pricing.yaml12 import parse_yaml
from simulator import charts
from simulator.cli import main
from tests.dashboards import words

PAGE = "from dashboard import prices, question\nquestion.begin()\nprices.page()\n"
ON = date(2026, 11, 23)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return simulator.shipped_book()


@pytest.fixture(scope="module")
def machines() -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60).run()
    page.segmented_control(key="kind").set_value("GPUs and serving").run()
    assert not page.exception
    assert not [part for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    return page


def test_machines_are_those_of_the_command_line(machines: AppTest, capsys: pytest.CaptureFixture[str]) -> None:
    machines.date_input(key="gpus on").set_value(ON).run()
    capsys.readouterr()
    assert main(["gpu", "list", "--on", str(ON), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    table = next(frame.value for frame in machines.dataframe if "usd_per_gpu_hour" in frame.value.columns)
    assert list(table["id"]) == [row["id"] for row in told]
    assert list(table["age_days"]) == [row["age_days"] for row in told]
    assert list(table["confidence"]) == [row["confidence"] for row in told]
    assert f"{len(told)} prices in force on 23 Nov 2026" in words(machines)


def test_what_has_retired_is_in_force_neither_here_nor_on_the_command_line(book: PriceBook) -> None:
    page = AppTest.from_string(PAGE, default_timeout=60).run()
    page.date_input(key="prices on").set_value(ON).run()
    gone = {price for price, version in book.on(ON).items() if (day := version.lifecycle.retires_on) and day <= ON}
    assert "anthropic/claude-opus-4-1" in gone
    table = next(frame.value for frame in page.dataframe if "cached_input" in frame.value.columns)
    rows = tunepoint("prices", "list", "--on", str(ON), "--json").json
    assert list(table["id"]) == [row["id"] for row in rows] == [price for price in book.on(ON) if price not in gone]
    words_of_both = (words(page), " ".join(tunepoint("prices", "list", "--on", str(ON)).out.split()))
    assert all(f"{len(rows)} prices in force on 23 Nov 2026, USD per million tokens; {len(gone)} more have retired."
               in said for said in words_of_both)
    page.text_input(key="price search").set_value("claude-opus-4-1").run()
    assert "0 prices in force on 23 Nov 2026, USD per million tokens; 1 more has retired." in words(page)


def test_a_search_keeps_what_holds_every_word(machines: AppTest) -> None:
    machines.text_input(key="gpu search").set_value("a100 SPOT").run()
    table = next(frame.value for frame in machines.dataframe if "usd_per_gpu_hour" in frame.value.columns)
    assert len(table)
    assert all("a100" in name for name in table["id"])
    assert set(table["commitment"]) == {"spot"}
    machines.text_input(key="gpu search").set_value("").run()


def test_a_machine_has_its_past_and_a_chart(machines: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    monkeypatch.setattr("dashboard.pictures.show", lambda name, figure, *_: drawn.__setitem__(name, figure))
    book = simulator.shipped_hardware()
    name = max(book.gpus, key=lambda one: len(book.gpus[one].versions))
    machines.selectbox(key="gpu shown").set_value(name).run()
    versions = book.gpus[name].versions
    assert len(versions) > 2
    for version in versions:
        assert str(version.effective) in words(machines)
        assert version.source.title in words(machines)
    trace = drawn["gpu-price"].data[0]
    bound = book.gpus[name].commitments[0]
    rented = [one for one in versions if bound in one.usd_per_gpu_hour]
    assert trace.y[-1] == rented[-1].usd_per_gpu_hour[bound]


def test_an_owned_card_says_what_no_source_supports(machines: AppTest) -> None:
    machines.selectbox(key="gpu shown").set_value("owned/rtx-4090").run()
    assert "bought for, USD: 1,599" in words(machines)
    told = simulator.compare(simulator.read_scenario(simulator.default_scenario_path())).verdict.caveats
    (caveat,) = (one for one in told if "no source supports some figures of owned/rtx-4090 (" in one)
    assert caveat.partition(": ")[2].partition(";")[0] in words(machines)  # the same words as beside the verdict


def test_cards_and_profiles_are_all_there(machines: AppTest) -> None:
    cards = next(frame.value for frame in machines.dataframe if "memory_gb" in frame.value.columns)
    assert set(cards["card"]) == set(simulator.shipped_hardware().specs)
    profiles = next(frame.value for frame in machines.dataframe if "mbu" in frame.value.columns)
    shipped = {f"{engine}/{name}" for engine, serving in simulator.shipped_serving().items()
               for name in serving.profiles}
    assert set(profiles["id"]) == shipped
    assert all(profiles["source"])


def test_a_price_of_ones_own_for_a_machine_reaches_the_scenario_and_the_link() -> None:
    page = AppTest.from_string(PAGE, default_timeout=120)
    page.query_params["scenario"] = "fifteen-percent"
    page.run()
    page.segmented_control(key="kind").set_value("GPUs and serving").run()
    name = page.selectbox(key="own machine '").value
    field = next(box for box in page.number_input if box.label.startswith("on demand"))
    field.set_value(2 * field.value)
    next(button for button in page.button if button.label == "Use in this session").click().run()
    assert not page.exception
    assert not [part for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    assert f"Back to the book: {name}" in [button.label for button in page.button]
    kept = page.query_params["set"]
    flag = kept if isinstance(kept, str) else kept[0]
    path = next(path for path in simulator.shipped_scenarios() if path.stem == "fifteen-percent")
    scenarios = [simulator.read_scenario(path, flags) for flags in ((), (flag,))]
    plain, doubled = (one.gpus[name].on(one.start).usd_per_gpu_hour["on_demand"] for one in scenarios)
    assert doubled == pytest.approx(2 * plain)


def test_every_figure_of_an_owned_card_can_be_typed_and_what_cannot_be_is_taken_back() -> None:
    def typed(words: str, value: float) -> None:
        next(field for field in page.number_input if field.label == words).set_value(value)
        next(button for button in page.button if button.label == "Use in this session").click().run()
        assert not page.exception

    def wrong() -> list[str]:
        return [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]

    page = AppTest.from_string(PAGE, default_timeout=120).run()
    page.segmented_control(key="kind").set_value("GPUs and serving").run()
    page.selectbox(key="own machine '").set_value("owned/rtx-4090").run()
    plain = simulator.read_scenario(simulator.default_scenario_path())
    before = plain.gpus["owned/rtx-4090"].on(plain.start).owned
    figures = [field.name for field in dataclasses.fields(before) if field.name != "unverified"]
    assert set(before.unverified) <= set(figures)
    assert {gpu_prices.WORDS[name] for name in figures} <= {field.label for field in page.number_input}
    assert "until you type others: power when idle; power when decoding; power when full; used for;" in words(page)
    typed(gpu_prices.WORDS["idle_w"], 15.0)
    assert not wrong()
    (flag,) = kept if isinstance(kept := page.query_params["set"], list) else [kept]
    changed = simulator.read_scenario(simulator.default_scenario_path(), [flag])
    after = changed.gpus["owned/rtx-4090"].on(changed.start).owned
    assert after == dataclasses.replace(
        before, idle_w=15.0, unverified=tuple(one for one in before.unverified if one != "idle_w"))
    typed(gpu_prices.WORDS["pue"], 0.5)
    assert any("a building uses at least what its machines use" in sentence for sentence in wrong())
    next(button for button in page.button if button.label == "Back to the book: owned/rtx-4090").click().run()
    assert not wrong()


def test_a_machine_of_ones_own_stands_beside_those_that_a_link_has_brought() -> None:
    path = simulator.default_scenario_path()
    page = AppTest.from_string(PAGE, default_timeout=120)
    linked = "vast/a100-80gb-sxm"
    page.query_params["set"] = f"gpus={{{linked}: {{gpu: a100-80gb-sxm, usd_per_gpu_hour: {{on_demand: 3.25}}}}}}"
    page.run()
    page.segmented_control(key="kind").set_value("GPUs and serving").run()
    page.selectbox(key="own machine '").set_value("owned/rtx-4090").run()
    next(field for field in page.number_input if field.label.startswith("bought for")).set_value(999.0)
    next(button for button in page.button if button.label == "Use in this session").click().run()
    assert not page.exception
    assert not [part for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    kept = page.query_params["set"]
    (flag,) = [kept] if isinstance(kept, str) else kept
    scenario = simulator.read_scenario(path, [flag])
    rented, bought = (scenario.gpus[name].on(scenario.start) for name in (linked, "owned/rtx-4090"))
    assert (rented.usd_per_gpu_hour["on_demand"], bought.owned.purchase_usd) == (3.25, 999.0)
    next(button for button in page.button if button.label == "Take off what was laid over gpus").click().run()
    kept = page.query_params["set"]
    assert linked not in (kept if isinstance(kept, str) else kept[0])


def test_a_price_of_ones_own_stands_beside_those_that_a_link_has_brought() -> None:
    own = "{like: openai/gpt-5.4-mini, usd_per_mtok: {input: 0.75, cached_input: 0.075, output: 33.25}}"
    linked = f"prices={{openai/gpt-5.4-mini: {own}}}"
    page = AppTest.from_string(PAGE, default_timeout=120)
    page.query_params["set"] = linked
    page.run()
    price = page.selectbox(key="own price '")
    assert "openai/gpt-6-luna" in price.options
    price.set_value("openai/gpt-6-luna").run()
    next(box for box in page.number_input if box.label.startswith("output")).set_value(9.0)
    next(button for button in page.button if button.label == "Use in this session").click().run()
    assert not page.exception
    kept = page.query_params["set"]
    assert isinstance(kept, str) or len(kept) == 1
    flag = kept if isinstance(kept, str) else kept[0]
    scenario = simulator.read_scenario(simulator.default_scenario_path(), [flag])
    rates = [scenario.prices[name].on(scenario.start).usd_per_mtok.output
             for name in ("openai/gpt-5.4-mini", "openai/gpt-6-luna")]
    assert rates == [33.25, 9.0]
    next(button for button in page.button if button.label == "Take off what was laid over prices").click().run()
    kept = page.query_params["set"]
    assert "openai/gpt-5.4-mini" not in (kept if isinstance(kept, str) else kept[0])


@pytest.mark.parametrize("path", simulator.shipped_scenarios(), ids=lambda path: path.stem)
def test_a_dearer_output_of_any_price_still_gives_a_verdict_and_changes_nothing_else(path: Path) -> None:
    plain = simulator.read_scenario(path)
    for price, table in plain.prices.items():
        version = table.on(plain.start)
        stands = {one.path: one.after for one in differences(None, version)}
        dearer = {one: 1.1 * stands[one] for one in ("output", "training.sft.usd_per_mtok") if one in stands}
        entry = typed_anew(table, plain.start, dearer)
        flag = simulator.price_override(path.read_bytes(), path.name, {price: entry})
        written = simulator.scenario_yaml(path.read_bytes(), path.name, [flag])
        for scenario in (simulator.read_scenario(path, [flag]),
                         simulator.parse_scenario(written, path.name, folder=path.parent)):
            typed = scenario.prices[price].on(scenario.start)
            assert {one.path: one.after for one in differences(None, typed)} == stands | dearer
            assert (typed.rules, typed.lifecycle, typed.limits) == (version.rules, version.lifecycle, version.limits)
        assert simulator.compare(scenario, draws=100, flips=False).verdict.choice


def test_every_price_of_the_book_is_typed_whole(book: PriceBook) -> None:
    for price, version in book.on(ON).items():
        entry = typed_anew(book.table(price), ON, {})
        flag = simulator.price_override("prices: {}", "x.yaml", {price: entry}).removeprefix("prices=")
        document = parse_yaml(f"prices: {flag}", "x.yaml")
        typed = inline_prices(document.value["prices"], document, ("prices",), book)[price].on(ON)
        assert rates(typed) == rates(version), price


def test_every_rate_of_a_price_can_be_typed_and_one_that_bills_cache_writes_is_still_sold(book: PriceBook) -> None:
    page = AppTest.from_string(PAGE, default_timeout=120).run()
    page.selectbox(key="own price '").set_value("openai/gpt-6-luna").run()
    labels = [box.label for box in page.number_input]
    assert "cache write kept 1,800 s, USD per million tokens" in labels
    assert "batch output, USD per million tokens" in labels
    next(box for box in page.number_input if box.label.startswith("output")).set_value(0.6)
    next(box for box in page.number_input if box.label.startswith("cache write kept 1,800 s")).set_value(0.13)
    next(button for button in page.button if button.label == "Use in this session").click().run()
    assert not page.exception
    kept = page.query_params["set"]
    scenario = simulator.read_scenario(simulator.default_scenario_path(), kept if isinstance(kept, list) else [kept])
    typed, before = (one.on(scenario.start).usd_per_mtok
                     for one in (scenario.prices["openai/gpt-6-luna"], book.table("openai/gpt-6-luna")))
    assert (typed.output, typed.cache_write) == (0.6, {1800: 0.13, 43200: 0.25})
    assert (typed.batch, typed.tiers) == (before.batch, before.tiers)
    assert simulator.compare(scenario, flips=False).verdict.choice


def test_a_price_of_an_earlier_day_keeps_its_rules_when_it_is_typed_twice() -> None:
    path = next(path for path in simulator.shipped_scenarios() if path.stem == "support-triage-2024-09")
    page = AppTest.from_string(PAGE, default_timeout=120)
    page.query_params["scenario"] = path.stem
    page.run()
    page.selectbox(key="own price '").set_value("openai/gpt-4o-mini").run()
    for usd in (0.7, 0.8):
        next(box for box in page.number_input if box.label.startswith("output")).set_value(usd)
        next(button for button in page.button if button.label == "Use in this session").click().run()
    kept = page.query_params["set"]
    plain = simulator.read_scenario(path)
    changed = simulator.read_scenario(path, kept if isinstance(kept, list) else [kept])
    before, typed = (one.prices["openai/gpt-4o-mini"].on(one.start) for one in (plain, changed))
    assert plain.prices["openai/gpt-4o-mini"].versions[-1].rules != before.rules
    assert (typed.rules, typed.usd_per_mtok.output) == (before.rules, 0.8)


def test_the_training_rate_of_a_price_can_be_typed() -> None:
    page = AppTest.from_string(PAGE, default_timeout=120).run()
    page.selectbox(key="own price '").set_value("tinker/qwen3-8b-ft").run()
    next(box for box in page.number_input if box.label == "training sft, USD per million tokens").set_value(9.0)
    next(button for button in page.button if button.label == "Use in this session").click().run()
    kept = page.query_params["set"]
    scenario = simulator.read_scenario(simulator.default_scenario_path(), kept if isinstance(kept, list) else [kept])
    assert scenario.prices["tinker/qwen3-8b-ft"].on(scenario.start).training["sft"].usd_per_mtok == 9.0


def test_a_price_that_retires_can_be_typed_and_what_cannot_be_asked_is_taken_back() -> None:
    def pressed(label: str) -> list[str]:
        next(button for button in page.button if button.label == label).click().run()
        assert not page.exception
        return [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]

    told = "recorded: 2026-01-01, source: {title: a, seen_on: 2026-01-01, confidence: reported}"
    versions = (f"{{effective: 2026-01-01, {told}, usd_per_mtok: {{input: 3, output: 15}}, "
                f"lifecycle: {{retires_on: 2028-06-01}}}}, "
                f"{{effective: 2027-06-01, {told}, usd_per_mtok: {{input: 3, output: 12}}}}")
    text = QUESTION.replace("{usd_per_mtok: {input: 3, output: 15}}", f"{{versions: [{versions}]}}")
    page = AppTest.from_string(PAGE, default_timeout=120)
    page.query_params["yaml"] = simulator.pack_link(text.encode())
    page.run()
    next(box for box in page.number_input if box.label.startswith("output")).set_value(7.0)
    assert pressed("Use in this session") == []
    (flag,) = kept if isinstance(kept := page.query_params["set"], list) else [kept]
    typed = simulator.parse_scenario(text, "x.yaml", [flag]).prices["mine/big"].on(date(2026, 12, 1))
    assert (typed.usd_per_mtok.output, typed.lifecycle.retires_on) == (7.0, date(2028, 6, 1))
    page.session_state.laid = {"prices.": "1"}
    page.run()
    assert "Back to the book: mine/big" in [button.label for button in page.button]
    pressed("Back to the book: mine/big")
    assert "Back to the book: mine/big" not in [button.label for button in page.button]


OWN_PRICES = ("{usd_per_mtok: {input: 3, output: 15}, batch: {output: 2}, rules: {tokens: {factor: 1.2}}}",
              "{versions: [{effective: 2026-01-01, recorded: 2026-01-01, rules: {tokens: {factor: 1.2}}, "
              "source: {title: a, seen_on: 2026-01-01, confidence: reported}, "
              "usd_per_mtok: {input: 3, output: 15, batch: {output: 2}}}]}")


@pytest.mark.parametrize("own", OWN_PRICES, ids=["short", "dated"])
def test_a_price_that_the_scenario_types_itself_can_be_overridden_too(own: str) -> None:
    text = QUESTION.replace("mine/big: {usd_per_mtok: {input: 3, output: 15}}", f"mine/big: {own}")
    scenario = simulator.parse_scenario(text, "x.yaml")
    entry = typed_anew(scenario.prices["mine/big"], scenario.start, {"output": 7.0})
    changed = simulator.parse_scenario(text, "x.yaml", [simulator.price_override(text, "x.yaml", {"mine/big": entry})])
    typed = changed.prices["mine/big"].on(scenario.start)
    assert typed.usd_per_mtok.output == 7.0
    assert typed.usd_per_mtok.batch is not None
    assert (typed.usd_per_mtok.input, typed.usd_per_mtok.batch.output, typed.rules.tokens.factor) == (3, 2, 1.2)


def test_what_was_typed_is_told_as_typed_on_the_page_and_the_command_line(tmp_path: Path) -> None:
    path = simulator.default_scenario_path()
    flags = ["prices={openai/gpt-5.4-mini: {like: openai/gpt-5.4-mini, usd_per_mtok: {input: 1, output: 77}}}",
             "gpus={owned/rtx-4090: {like: owned/rtx-4090}, vast/a100-80gb-sxm: {usd_per_gpu_hour: {on_demand: 3}}}"]
    page = AppTest.from_string(PAGE.replace("prices", "about"), default_timeout=120)
    page.query_params["set"] = flags
    page.run()
    assert not page.exception
    told = " ".join(words(page).split())
    assert "openai/gpt-5.4-mini as typed reported as typed typed in support-triage.yaml, the rest like openai" in told
    assert "owned/rtx-4090 as typed partly unverified as typed typed in support-triage.yaml" in told
    assert "vast/a100-80gb-sxm as typed reported as typed typed in support-triage.yaml" in told
    assert "1 Jan 1," not in told
    assert "0001-01-01" not in told
    (tmp_path / "own.yaml").write_text(simulator.scenario_yaml(path.read_bytes(), path.name, flags), encoding="utf-8")
    said = tunepoint("compare", str(tmp_path / "own.yaml")).out
    assert "openai/gpt-5.4-mini (reported), openai/gpt-6-luna@" in said
    assert "0001-01-01" not in said


def test_a_copy_takes_batch_rates_that_stand_beside_it(book: PriceBook) -> None:
    text = "prices: {mine/a: {like: openai/gpt-6-luna, batch: {output: 2}}}"
    document = parse_yaml(text, "x.yaml")
    (typed,) = inline_prices(document.value["prices"], document, ("prices",), book)["mine/a"].versions
    assert typed.usd_per_mtok.batch is not None
    assert (typed.usd_per_mtok.batch.output, typed.usd_per_mtok.output) == (2, 0.5)


def test_a_history_is_told_in_words_with_where_it_began_and_what_has_no_rate_too() -> None:
    book, machines = simulator.shipped_book(), simulator.shipped_hardware()
    alone = charts.price_over_time(book.table("azure/ft-standard"), ON).layout.meta["alt"]
    assert "on 23 Nov 2026: not sold by the token." in alone
    moved = charts.gpu_price_over_time(machines.table("vast/h100-sxm"), ON).layout.meta["alt"]
    assert moved.endswith("on 23 Nov 2026: on demand $2.40. On 7 Oct 2026 on demand was $6.1489.")
    assert charts.gpu_price_over_time(machines.table("vast/h100-sxm"), date(2020, 1, 1)).layout.meta["alt"].endswith(
        "since never; on 1 Jan 2020: not known.")
