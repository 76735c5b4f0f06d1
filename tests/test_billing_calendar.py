"""Which price, and which option, serves on which day and hour: windows, announced changes, retirement, cut-over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from questions import asked, billed, crossed, told

from pricing.errors import InputError, NoFeasibleOption
from simulator.domain.scenario import Scenario
from simulator.domain.shapes import HOURS, WEEKDAYS
from simulator.run import run
from simulator.studies.compare import compare

# A million tokens a call at rates per Mtok: a call costs its rate in dollars, and a day at one call a day likewise.
PAGE = """
start: {start}
horizon_days: {days}
hours_per_month: 720
baseline: a
workload: {{calls_per_day: 1, tokens: {{input: 1e6, output: 0}}}}
prices: {{{prices}}}
options: {{{options}}}
"""
Ask = Callable[..., Scenario]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def found(options: str, prices: str, *flags: str, start: str = "2026-12-01", days: int = 60) -> Scenario:
        return asked(tmp_path, PAGE.format(start=start, days=days, prices=prices, options=options), *flags)

    return found


def sold(name: str, *versions: str) -> str:
    source = "source: {title: t, seen_on: 2026-01-01, confidence: reported}"
    dated = ", ".join(f"{{effective: {v.split(' ', 1)[0]}, {v.split(' ', 1)[1]}, {source}}}" for v in versions)
    return f"mine/{name}: {{versions: [{dated}]}}"


def at(usd: float, more: str = "", recorded: str = "2026-01-01") -> str:
    return f"recorded: {recorded}, usd_per_mtok: {{input: {usd}, output: 0}}{more}"


def prompt(name: str, price: str, more: str = "") -> str:
    return f"{name}: {{kind: hosted_prompt, price: mine/{price}{more}}}"


def tuned(name: str, price: str, more: str = "") -> str:
    return f"{name}: {{kind: hosted_fine_tuned, price: mine/{price}{more}}}"


def by_day(scenario: Scenario, option: str, line: str) -> np.ndarray:
    return sum(found.usd[0] for found in run(scenario, option).ledger.lines if found.line == line)


# Daily windows

PEAKS = ("01:00-04:00", "06:00-10:00")
DEEPSEEK = "mine/p: {usd_per_mtok: {input: 0.15, output: 0, windows: [" + ", ".join(
    f'{{utc: "{hours}", days: mon-fri, input: 0.3, output: 0}}' for hours in PEAKS) + "]}}"


def test_flat_demand_pays_the_peak_rate_for_its_share_of_the_week(ask: Ask) -> None:
    scenario = ask(prompt("a", "p"), DEEPSEEK, start="2026-12-07", days=28)
    assert billed(scenario, "a")["input"] == pytest.approx(28 * 0.15 * (1 + 7 * 5 / 168), rel=1e-12)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"])
@pytest.mark.parametrize("daily", [True, False])
def test_a_window_in_utc_is_met_by_calls_in_local_time_through_weekends_and_clock_changes(
    ask: Ask, zone: str, daily: bool
) -> None:
    first = date(2027, 3, 10)                                               # Berlin and Auckland change their clocks
    scenario = ask(prompt("a", "p"), DEEPSEEK, f"workload.timezone={zone}",
                   "workload.demand={weekday: office, hours: office}", start=str(first), days=40)
    weekday, hours = np.array(WEEKDAYS["office"]), np.array(HOURS["office"])
    weekday, hours = weekday / weekday.mean(), hours / hours.mean()
    minutes, usd = np.arange(0, 60, 30) + 15, 0.0
    for day in (first + timedelta(days=n) for n in range(40)):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).utcoffset()
        for hour in range(24):
            for minute in minutes.tolist():
                moment = datetime(day.year, day.month, day.day, hour, minute) - noon
                peak = moment.weekday() < 5 and (1 <= moment.hour < 4 or 6 <= moment.hour < 10)
                usd += weekday[day.weekday()] * hours[hour] / 24 / len(minutes) * (0.3 if peak else 0.15)
    result = run(scenario, "a", daily=daily)
    assert result.total_usd[0] == pytest.approx(usd, rel=1e-9)


def test_a_window_that_passes_midnight_belongs_to_the_day_on_which_it_begins(ask: Ask) -> None:
    night = '{utc: "22:00-02:00", days: sun, input: 3, output: 0}'
    price = f"mine/p: {{usd_per_mtok: {{input: 1, output: 0, windows: [{night}]}}}}"
    scenario = ask(prompt("a", "p"), price, start="2026-12-07", days=7)     # Monday to Sunday
    spent = by_day(scenario, "a", "input")
    assert spent == pytest.approx([1 + 2 * 2 / 24, 1, 1, 1, 1, 1, 1 + 2 * 2 / 24])


def test_batch_is_billed_by_the_token_whatever_the_hour(ask: Ask) -> None:
    price = DEEPSEEK.replace("output: 0, windows", "output: 0, batch: {input: 0.05, output: 0}, windows")
    scenario = ask(prompt("a", "p", ", batch_share: 1"), price, "workload.deferrable_share=1")
    assert billed(scenario, "a") == {"batch_input": pytest.approx(60 * 0.05)}


# Announced changes

RISE = sold("p", "2026-01-01 " + at(1), "2026-12-31 " + at(3, recorded="2026-11-23"))
SURPRISE = sold("p", "2026-01-01 " + at(1), "2026-12-31 " + at(3, recorded="2026-12-31"))
CANCELLED = sold("p", "2026-01-01 " + at(1), "2026-12-31 " + at(3, recorded="2026-10-01"),
                 "2026-12-31 " + at(1, recorded="2026-11-01"))


@pytest.mark.parametrize(
    ("price", "flags", "usd"),
    [(RISE, (), 30 * 1 + 30 * 3), (RISE, ("announced_prices=false",), 60), (SURPRISE, (), 60), (CANCELLED, (), 60)],
)
def test_an_announced_change_holds_from_its_day_unless_switched_off_and_other_prices_stand(
    ask: Ask, price: str, flags: tuple[str, ...], usd: float
) -> None:
    scenario = ask(prompt("a", "p"), price, *flags)
    assert billed(scenario, "a")["input"] == pytest.approx(usd)
    told_of = any("announced change" in caveat for caveat in compare(scenario).verdict.caveats)
    assert told_of is (price != SURPRISE)


def test_an_announced_change_reaches_training_bought_elsewhere_on_its_day(ask: Ask) -> None:
    def jobs(usd: float) -> str:
        return f", training: {{sft: {{usd_per_mtok: {usd}}}}}"

    trainer = sold("t", "2026-01-01 " + at(0, jobs(2)), "2026-12-31 " + at(0, jobs(5), recorded="2026-11-23"))
    scenario = ask(tuned("a", "p", ", training: {tokens: 1e6, epochs: 1, price: mine/t, retrain_every_days: 20}"),
                   f"{sold('p', '2026-01-01 ' + at(0))}, {trainer}")
    for daily in (True, False):                                             # jobs on days 0, 20 and 40
        assert run(scenario, "a", daily=daily).total_usd[0] == pytest.approx(2 + 2 + 5)


@pytest.mark.parametrize("daily", [True, False])
def test_an_announced_hosting_fee_is_paid_from_its_day(ask: Ask, daily: bool) -> None:
    fee = sold("p", "2026-01-01 " + at(0), "2026-12-31 " + at(0, ", hosting_usd_per_hour: 2", recorded="2026-11-23"))
    assert run(ask(prompt("a", "p"), fee), "a", daily=daily).total_usd[0] == pytest.approx(30 * 24 * 2)


# Retirement, successors, closed doors

ENDING = sold("p", "2026-01-01 " + at(1, ", lifecycle: {retires_on: 2026-12-31}"))
NEXT = sold("q", "2026-01-01 " + at(4, ", training: {sft: {usd_per_mtok: 7}}"))
LASTING = sold("z", "2026-01-01 " + at(9))


def test_from_retirement_on_an_option_stops_and_is_no_choice(ask: Ask) -> None:
    found = told(ask(f"{prompt('a', 'p')}, {prompt('z', 'z')}", f"{ENDING}, {LASTING}"))["a"]
    assert (found["feasible"], found["serves_until"], found["total_usd"]) == (False, "2026-12-31", None)
    assert found["total_until"] == pytest.approx(30)
    assert found["why_not"] == "it stops serving on 2026-12-31, inside the horizon"


def test_where_nothing_serves_to_the_end_there_is_no_answer(ask: Ask) -> None:
    with pytest.raises(NoFeasibleOption, match=r"no option serves the whole horizon \(a: it stops serving on 2026-12"):
        compare(ask(prompt("a", "p"), ENDING))


def test_a_named_successor_takes_over_and_a_tuned_one_is_trained_again(ask: Ask) -> None:
    plain = ask(prompt("a", "p", ", successor: mine/q"), f"{ENDING}, {NEXT}")
    assert billed(plain, "a") == {"input": pytest.approx(30 * 1 + 30 * 4)}
    assert told(plain)["a"]["feasible"]
    training = ENDING.replace(", lifecycle", ", training: {sft: {usd_per_mtok: 5}}, lifecycle")
    again = ask(tuned("a", "p", ", successor: mine/q, training: {tokens: 1e6, epochs: 1}, evaluation_usd: 10"),
                f"{training}, {NEXT}")
    assert billed(again, "a") == {"input": pytest.approx(150), "training": 5 + 7, "evaluation": 20}
    result = told(again)["a"]
    assert result["one_off_usd"] == pytest.approx(5 + 10)                   # the second release recurs
    with pytest.raises(InputError, match=r"question\.yaml:\d+: options\.a\.successor: no price table"):
        ask(prompt("a", "p", ", successor: mine/nosuch"), ENDING)


def test_a_break_even_beyond_retirement_is_flagged(ask: Ask) -> None:
    scenario = ask(f"{prompt('a', 'z')}, {prompt('b', 'p', ', one_off_usd: {set-up: 100}')}", f"{ENDING}, {LASTING}")
    found = crossed(scenario, "a", "b", over=(0.1, 100))
    flag = "b stops serving on 2026-12-31, inside the horizon"
    [crossing] = [c for c in found["crossings"] if c["basis"] == "horizon"]
    assert crossing["at"] == pytest.approx(100 / 30 / 8)                    # on the 30 days on which both serve
    assert crossing["flags"] == [flag]
    assert found["payback"]["days"] == pytest.approx(100 / 8)
    assert flag in found["payback"]["flags"]


@pytest.mark.parametrize(("flags", "open_to_us"), [((), False), (("existing_customer=[mine]",), True),
                                                   (("existing_customer=[openai]",), False)])
def test_a_price_closed_to_new_customers_is_a_choice_only_for_old_ones(
    ask: Ask, flags: tuple[str, ...], open_to_us: bool
) -> None:
    closed = sold("p", "2026-01-01 " + at(1, ", lifecycle: {no_new_customers_from: 2026-06-01}"))
    found = told(ask(f"{prompt('a', 'p')}, {prompt('z', 'z')}", f"{closed}, {LASTING}", *flags))["a"]
    assert found["feasible"] is open_to_us
    assert ("say existing_customer: [mine]" in (found["why_not"] or "")) is not open_to_us


def test_where_no_jobs_are_taken_any_more_nothing_is_trained_or_trained_again(ask: Ask) -> None:
    def closing(day: str) -> str:
        return sold("p", "2026-01-01 " + at(1, f", training: {{sft: {{usd_per_mtok: 5}}}}, "
                                               f"lifecycle: {{no_new_jobs_from: {day}}}"))

    option = tuned("a", "p", ", training: {tokens: 1e6, epochs: 1, retrain_every_days: 20}")
    late = told(ask(f"{option}, {prompt('z', 'z')}", f"{closing('2026-12-01')}, {LASTING}"))["a"]
    assert late["why_not"] == "mine/p takes no training jobs from 2026-12-01"
    found = told(ask(option, closing("2026-12-22")))["a"]                   # days 0 and 20, not 40
    assert (found["feasible"], found["by_line"]["training"]) == (True, pytest.approx(10))
    assert any("not retrained after" in flag for flag in found["flags"])


# Cut-over, stand-ins, retraining, fallback


def test_until_it_is_ready_another_option_serves_with_its_own_costs(ask: Ask) -> None:
    stand_in = prompt("a", "z", ", ops_hours_per_month: 1, recurring_usd_per_month: {index: 30}")
    option = tuned("b", "p", ", ready_after_days: 12, until_ready: a, training: {usd: 100}, dataset: {usd: 50}")
    hosted = sold("p", "2026-01-01 " + at(1, ", hosting_usd_per_hour: 1"))
    scenario = ask(f"{stand_in}, {option}", f"{LASTING}, {hosted}")
    assert billed(scenario, "b") == {
        "input": pytest.approx(12 * 9 + 48 * 1), "training": 100, "dataset": 50, "hosting": pytest.approx(48 * 24),
        "ops": pytest.approx(12 / 30 * 110), "index": pytest.approx(12),
    }
    assert np.flatnonzero(by_day(scenario, "b", "training")).tolist() == [12]
    assert np.flatnonzero(by_day(scenario, "b", "dataset")).tolist() == [0]
    assert np.flatnonzero(by_day(scenario, "b", "hosting")).tolist() == list(range(12, 60))


def test_a_model_is_trained_when_it_is_ready_and_then_every_so_many_days(ask: Ask) -> None:
    more = ", ready_after_days: 7, until_ready: z, training: {usd: 100, retrain_every_days: 20}"
    scenario = ask(f"{tuned('a', 'z', more)}, {prompt('z', 'z')}", LASTING)
    assert np.flatnonzero(by_day(scenario, "a", "training")).tolist() == [7, 27, 47]
    assert told(scenario)["a"]["one_off_usd"] == pytest.approx(100)


def test_an_option_that_is_not_ready_within_the_horizon_is_no_choice(ask: Ask) -> None:
    more = ", ready_after_days: 60, until_ready: z"
    found = told(ask(f"{tuned('a', 'z', more)}, {prompt('z', 'z')}", LASTING))["a"]
    assert found["why_not"] == "it is ready after 60 days, not within the horizon"


def test_a_fallback_serves_its_share_again_at_its_own_price(ask: Ask) -> None:
    small = sold("p", "2026-01-01 " + at(1))
    scenario = ask(f"{prompt('a', 'p', ', fallback: {to: z, share: 0.05}')}, {prompt('z', 'z')}", f"{small}, {LASTING}")
    assert billed(scenario, "a")["input"] == pytest.approx(60 * 1 + 60 * 0.05 * 9)
    assert told(scenario)["a"]["calls"] == pytest.approx(60)                # demanded calls are counted once


@pytest.mark.parametrize("daily", [True, False])
def test_a_fallback_follows_its_own_price_changes_successors_and_windows(ask: Ask, daily: bool) -> None:
    option = prompt("a", "p", ", fallback: {to: b, share: 0.5}")
    small = sold("p", "2026-01-01 " + at(1))
    rising = ask(f"{option}, {prompt('b', 'r')}", f"{small}, {RISE.replace('mine/p', 'mine/r')}")
    assert run(rising, "a", daily=daily).total_usd[0] == pytest.approx(60 * 1 + 0.5 * (30 * 1 + 30 * 3))
    ending = ENDING.replace("mine/p", "mine/e")
    moving = ask(f"{option}, {prompt('b', 'e', ', successor: mine/q')}", f"{small}, {ending}, {NEXT}")
    assert run(moving, "a", daily=daily).total_usd[0] == pytest.approx(60 * 1 + 0.5 * (30 * 1 + 30 * 4))
    stopping = run(ask(f"{option}, {prompt('b', 'e')}", f"{small}, {ending}"), "a", daily=daily)
    assert stopping.total_usd[0] == pytest.approx(60 * 1 + 0.5 * 30 * 1)
    assert stopping.flags == ("nothing serves the fallback of a from 2026-12-31, when b has stopped",)
    later = ask(f"{option}, {prompt('b', 'q', ', prefix_tokens: 1e6, ready_after_days: 20, until_ready: z')}, "
                f"{prompt('z', 'z')}", f"{small}, {NEXT}, {LASTING}")
    assert run(later, "a", daily=daily).total_usd[0] == pytest.approx(60 * 1 + 0.5 * (20 * 9 + 40 * 2 * 4))
    peaks = ask(f"{option}, {prompt('b', 'w')}", f"{small}, {DEEPSEEK.replace('mine/p', 'mine/w')}",
                "workload.timezone=Europe/Berlin", start="2027-03-15", days=28)
    assert run(peaks, "a", daily=daily).total_usd[0] == pytest.approx(28 * (1 + 0.5 * 0.15 * (1 + 35 / 168)))


def test_the_clock_of_these_tests_is_the_one_they_say() -> None:
    assert date(2026, 12, 7).weekday() == 0
    assert datetime(2027, 3, 28, 0, 59, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")).hour == 1
    assert datetime(2027, 3, 28, 1, 0, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")).hour == 3
