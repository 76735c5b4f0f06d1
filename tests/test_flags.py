"""Flags and copies are laid over a scenario before it is judged, as if what they say had been written there."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.domain.dials import walk_dials
from simulator.domain.scenario import Scenario
from simulator.files import read_scenario

TEXT = """\
question: Which way is cheaper?
start: 2026-12-01
baseline: long
horizon_days: 365
workload:
  calls_per_day: 1_000
  tokens: {input: 350, output: 40}
  events: [{name: sale, from: 2026-12-20, to: 2026-12-24, factor: 2}]
prices:
  acme/small: {usd_per_mtok: {input: 1, output: 2}}
options:
  long: {kind: hosted_prompt, price: acme/small, prefix_tokens: 2600, caching: {cache_hit_rate: 0.5, scopes: 3}}
  short: {like: long, prefix_tokens: 300}
  tuned: {like: short, kind: hosted_fine_tuned, prefix_tokens: 120, training: {usd: 3}}
"""


def read(folder: Path, *flags: str, text: str = TEXT) -> Scenario:
    path = folder / "x.yaml"
    path.write_text(text, "utf-8")
    return read_scenario(path, flags)


def refused(folder: Path, *flags: str, text: str = TEXT) -> str:
    with pytest.raises(InputError) as told:
        read(folder, *flags, text=text)
    return str(told.value).replace(f"{folder}/", "")


# Copies


def test_own_keys_stand_whole_on_a_copy_and_chains_hold(tmp_path: Path) -> None:
    options = read(tmp_path).options
    assert [options[name].prefix_tokens for name in ("short", "long", "tuned")] == [300, 2600, 120]
    assert {option.cache_hit_rate for option in options.values()} == {0.5}
    own = read(tmp_path, text=TEXT.replace("prefix_tokens: 120", "caching: {ttl: 60}")).options["tuned"]
    assert (own.caching.ttl, own.caching.scopes, own.cache_hit_rate, own.prefix_tokens) == (60, 1, None, 300)


def test_a_copy_of_another_kind_leaves_behind_what_only_the_first_kind_has(tmp_path: Path) -> None:
    text = TEXT + "  untuned: {like: tuned, kind: hosted_prompt}\n"
    options = read(tmp_path, text=text).options
    assert options["untuned"] == dataclasses.replace(options["long"], prefix_tokens=120.0)


# Flags


def test_a_flag_is_read_as_if_written(tmp_path: Path) -> None:
    flags = ("workload.calls_per_day=5e4", "options.long.price_factor=0.9", "workload.demand.day_sd=0.2",
             "workload.events.0.factor=3", "wages_usd_per_hour={engineer: 90}", "question=a: b".replace(": ", ":"))
    scenario = read(tmp_path, *flags)
    assert scenario.workload.calls_per_day == 50_000
    assert scenario.workload.demand.day_sd == 0.2
    assert scenario.workload.events[0].factor == 3
    assert scenario.wages_usd_per_hour == {"engineer": 90, "annotator": 35}
    assert scenario.question == "a:b"
    assert {option.price_factor for option in scenario.options.values()} == {0.9}, "copies see flags too"


def test_a_flag_replaces_the_node_whole_and_the_last_flag_holds(tmp_path: Path) -> None:
    whole = "options.long={kind: hosted_prompt, price: acme/small}"
    scenario = read(tmp_path, whole, "horizon_days=30", "horizon_days=60")
    assert (scenario.options["long"].prefix_tokens, scenario.horizon_days) == (0, 60)


def test_a_flag_below_a_block_that_was_copied_leaves_the_rest_of_the_block(tmp_path: Path) -> None:
    scopes, whole = "options.tuned.caching.scopes=2", "options.tuned.caching={scopes: 2}"
    told = read(tmp_path, "options.long.caching.ttl=60", scopes).options
    assert (told["long"].caching.scopes, told["tuned"].caching.scopes, told["tuned"].cache_hit_rate) == (3, 2, 0.5)
    assert told == read(tmp_path, scopes, "options.long.caching.ttl=60").options, "in either order"
    assert told["tuned"].caching.ttl == 60
    assert read(tmp_path, whole).options["tuned"].cache_hit_rate is None, "a block that was written stands whole"
    assert read(tmp_path, scopes, whole).options == read(tmp_path, whole).options
    own = TEXT.replace("prefix_tokens: 120", "caching: {ttl: 60}")
    assert read(tmp_path, scopes, text=own).options["tuned"].cache_hit_rate is None


def test_a_flag_may_say_the_same_thing_in_the_other_way(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("Sort the ticket.")
    assert read(tmp_path, "options.long.cache_hit_rate=0.9").options["long"].cache_hit_rate == 0.9
    assert read(tmp_path, "options.long.prompt=p.md").options["long"].prefix_tokens == 4
    assert read(tmp_path, "options.long.prompt=p.md").options["short"].prefix_tokens == 300
    inside = read(tmp_path, "options.long.cache_hit_rate=0.9", "options.long.caching.cache_hit_rate=0.8")
    assert inside.options["long"].cache_hit_rate == 0.8


def test_a_flag_on_one_use_of_an_anchor_leaves_the_others(tmp_path: Path) -> None:
    text = TEXT.replace("caching: {", "retries: &again {max: 2}, caching: {").replace(
        "training: {usd: 3}", "retries: *again, training: {usd: 3}")
    options = read(tmp_path, "options.long.retries.max=5", text=text).options
    assert (options["long"].retries.max, options["tuned"].retries.max) == (5, 2)


@given(st.floats(min_value=1, max_value=1e10, allow_nan=False), st.integers(1, 3650))
def test_any_number_survives_the_flag(tmp_path_factory: pytest.TempPathFactory, calls: float, days: int) -> None:
    scenario = read(tmp_path_factory.getbasetemp(), f"workload.calls_per_day={calls!r}", f"horizon_days={days}")
    assert (scenario.workload.calls_per_day, scenario.horizon_days) == (calls, days)


FLAGS = {
    "no equals sign": ("horizon_days", '"horizon_days": write PATH=VALUE, as in workload.calls_per_day=1e6'),
    "no path": ("=3", '"=3": write PATH=VALUE, as in workload.calls_per_day=1e6'),
    "a hole in the path": ("a..b=3", '"a..b=3": write PATH=VALUE, as in workload.calls_per_day=1e6'),
    "an unknown top": (
        "calls_per_day=3", 'calls_per_day: unknown path; did you mean "workload.calls_per_day"?'),
    "an unknown end": (
        "workload.calls_per_dya=3", 'workload.calls_per_dya: unknown key; did you mean "calls_per_day"?'),
    "an unknown middle": (
        "workload.tokns.input=3", 'workload.tokns.input: workload.tokns: unknown key; did you mean "tokens"?'),
    "an unknown option": ("options.lng.price=a/b", 'options.lng.price: no option "lng"; did you mean "long"?'),
    "below a number": (
        "horizon_days.x=3", "horizon_days.x: horizon_days is 365; nothing is called x in it"),
    "a price id": (
        "prices.acme/small.input=3",
        "prices.acme/small.input: prices are no paths; scale one by options.NAME.price_factor"),
    "a value of the wrong type": ("horizon_days=long", 'horizon_days: "long" is not a number'),
    "a value out of bounds": ("horizon_days=0", "horizon_days: 0; it must lie between 1 and 3650 (days)"),
    "a tag": (
        "horizon_days=!!int 3", "horizon_days: the tag tag:yaml.org,2002:int is not allowed; write the plain value"),
    "broken YAML": ("horizon_days=[3", "horizon_days: not valid YAML (did not find expected ',' or ']')"),
    "bytes that are no text": ("question=\udcff", "question: the value is not UTF-8 text"),
    "a misspelt price": (
        "options.long.price=acme/smal",
        'options.long.price: no price table "acme/smal"; did you mean "acme/small"?'),
}


@pytest.mark.parametrize("case", FLAGS)
def test_a_flag_that_cannot_be_meant(tmp_path: Path, case: str) -> None:
    flag, told = FLAGS[case]
    assert refused(tmp_path, flag) == f"--set {told}"


def test_a_copy_may_stand_before_what_it_copies(tmp_path: Path) -> None:
    options = read(tmp_path, text=TEXT.replace("options:", "options:\n  first: {like: tuned}")).options
    assert list(options) == ["first", "long", "short", "tuned"]
    assert options["first"] == options["tuned"]


def test_a_copied_mistake_is_told_where_it_was_written(tmp_path: Path) -> None:
    text = TEXT.replace("options:", "options:\n  first: {like: long}")
    told = refused(tmp_path, text=text.replace("scopes: 3", "scopes: 0"))
    assert told == "x.yaml:13: options.first.caching.scopes: 0; it must be at least 1 (caches)"
    told = refused(tmp_path, "options.long.caching.scopes=0", text=text)
    assert told == "--set options.long.caching.scopes: options.first.caching.scopes: 0; it must be at least 1 (caches)"


@pytest.mark.parametrize(("flag", "told"), [
    ("workload.tokens.input=1e308", "1e+308; it must lie between 0 and 2e+11 (tokens)"),
    ("options.long.prefix_tokens=1e308", "1e+308; it must lie between 0 and 1e+11 (tokens)"),
    ("options.long.ready_after_days=1e30", "1e+30; it must lie between 0 and 18000 (days)"),
    ("options.tuned.training.usd=1e300", "1e+300; it must lie between 0 and 1e+11 (USD)"),
    ("workload.calls_per_day=1e-320", "9.99989e-321; it must be 0, or at least 1e-12 (1/day)"),
    ("workload.tokens.input={low: 1, high: 3e11}",
     "a range up to 3e+11; the dial takes numbers between 0 and 2e+11"),
])
def test_a_number_that_nobody_means_is_refused_on_every_dial(tmp_path: Path, flag: str, told: str) -> None:
    assert refused(tmp_path, flag).endswith(f"{flag.partition('=')[0]}: {told}")


def test_every_dial_ends_somewhere_and_its_slider_lies_within(tmp_path: Path) -> None:
    for at in walk_dials(read(tmp_path)):
        assert at.dial.least <= at.dial.low < at.dial.high <= at.dial.most < math.inf, at.path
