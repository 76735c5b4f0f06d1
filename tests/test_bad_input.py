"""Every bad scenario ends in one sentence that says where, what stands there, and what to do; never in a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import TunepointError
from pricing.yaml12 import parse_yaml
from simulator.files import read_scenario
from simulator.files.layers import dotted

GOOD = """\
question: Which way is cheaper?
start: 2026-12-01
baseline: long
horizon_days: 365
workload:
  calls_per_day: 1000
  growth_per_month: 0.03
  tokens: {input: 350, output: 40}
prices:
  acme/small: {usd_per_mtok: {input: 1, output: 2}}
  acme/small-tuned: {usd_per_mtok: {input: 2, output: 4}, training: {sft: {usd_per_mtok: 3}}}
options:
  long: {kind: hosted_prompt, price: acme/small, prefix_tokens: 2600}
  tuned: {kind: hosted_fine_tuned, price: acme/small-tuned, prefix_tokens: 120}
"""

SALES = """
  acme/sold:
    versions:
    - effective: 2027-03-01
      recorded: 2026-11-01
      usd_per_mtok: {input: 1, output: 2}
      source: {title: acme, seen_on: 2026-11-01, confidence: verified}
  acme/gone:
    versions:
    - effective: 2024-01-01
      recorded: 2024-01-01
      usd_per_mtok: {input: 1, output: 2}
      source: {title: acme, seen_on: 2024-01-01, confidence: verified}
      lifecycle: {retires_on: 2026-12-01, successor: acme/small}
  acme/ends: {usd_per_mtok: {input: 1, output: 2}, lifecycle: {retires_on: 2027-02-01}}
options:
"""

NAN = "is not a finite number; give an ordinary number"
KINDS = "hosted_prompt, hosted_fine_tuned, self_hosted, hybrid"
NEED = "a scenario begins with keys such as start, baseline, workload and options"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcde", "bcdef", strict=True)
)

# name: (what stands in GOOD, what stands there instead, the sentence after the file's name)
CASES = {
    "unknown key, the nearest named": (
        "calls_per_day: 1", "calls_per_dya: 1",
        ':6: workload.calls_per_dya: unknown key; did you mean "calls_per_day"?'),
    "unknown key at the top": (
        "horizon_days", "horizon", ':4: horizon: unknown key; did you mean "horizon_days"?'),
    "unknown key that resembles nothing": (
        "output: 40}", "output: 40, zebra: 1}",
        ":8: workload.tokens.zebra: unknown key; known here: correlation, input, input_cv, output, output_cv, trace"),
    "a key of the other kind": (
        "prefix_tokens: 2600", "training: {usd: 3}",
        ":13: options.long.training: unknown key; hosted_prompt has no such key, "
        "hosted_fine_tuned and self_hosted have"),
    "a key that is found, not written": (
        "prefix_tokens: 2600", "prompt_exact: true",
        ":13: options.long.prompt_exact: unknown key; it is found, not written"),
    "text for a number": ("1000", "many", ':6: workload.calls_per_day: "many" is not a number'),
    "a quoted number": ("1000", '"1000"', ':6: workload.calls_per_day: "1000" is not a number'),
    "a list for a number": ("1000", "[1000]", ":6: workload.calls_per_day: [1000] is not a number"),
    "a range turned round": (
        "1000", "{low: 3, high: 2}", ":6: workload.calls_per_day: a range from 3 to 2; low must be below high"),
    "a mode outside its range": (
        "1000", "{low: 1, mode: 9, high: 2}",
        ":6: workload.calls_per_day.mode: 9; it must lie between low 1 and high 2"),
    "a lognormal that falls": (
        "1000", "{p10: 3, p90: 2}",
        ":6: workload.calls_per_day: a lognormal from 3 to 2; p10 must be below p90, both above zero"),
    "a range that is no number": (
        "1000", "{low: 1, high: many}", ':6: workload.calls_per_day.high: "many" is not a number'),
    "a range of one value": (
        "1000", "{values: [3]}", ":6: workload.calls_per_day.values: holds 1; a range needs at least two"),
    "a range beyond its dial": (
        "0.03", "{low: -2, high: 3}",
        ":7: workload.growth_per_month: a range up to -2; the dial takes numbers between -0.99 and 10"),
    "a range where no dial stands": (
        "start: 2026-12-01", "start: 2026-12-01\nsimulation: {runs: {low: 1, high: 9}}",
        ":3: simulation.runs: takes no range; give a number"),
    "a correlation with what has no range": (
        "horizon_days: 365",
        "horizon_days: 365\ncorrelations: [{between: [workload.calls_per_day, discount_rate], rho: 0.5}]",
        ':5: correlations.0: names "workload.calls_per_day", which has no range; give it one first'),
    "correlations that contradict each other": (
        "horizon_days: 365", "horizon_days: {low: 300, high: 400}\ndiscount_rate: {low: 0, high: 1}\n"
        "correlations: [{between: [horizon_days, discount_rate], rho: 1}]",
        ":6: correlations.0.rho: 1; a correlation lies between -1 and 1, both excluded"),
    "a number for text": ("Which way is cheaper?", "7", ":1: question: 7 is not text; put it in quotes"),
    "a boolean for a number": ("1000", "true", ":6: workload.calls_per_day: true is not a number"),
    "a number for a boolean": (
        "horizon_days: 365", "announced_prices: 1", ":4: announced_prices: 1 is neither true nor false"),
    "nothing for a number": ("1000", "", ":6: workload.calls_per_day: null is not a number"),
    "a number for a mapping": (
        "tokens: {input: 350, output: 40}", "tokens: 350",
        ":8: workload.tokens: 350 stands where keys and values are expected; "
        "known here: correlation, input, input_cv, output, output_cv, trace"),
    "negative calls": (
        "1000", "-5", ":6: workload.calls_per_day: -5; it must lie between 0 and 1e+10 (1/day)"),
    "negative tokens": ("350", "-1", ":8: workload.tokens.input: -1; it must be at least 0 (tokens)"),
    "negative prefix": ("2600", "-1", ":13: options.long.prefix_tokens: -1; it must be at least 0 (tokens)"),
    "a negative amount": (
        "prefix_tokens: 2600", "one_off_usd: {Legal Fee: -2}",
        ":13: options.long.one_off_usd.Legal Fee: -2; it must be at least 0 (USD)"),
    "a share above one": (
        "prefix_tokens: 2600", "batch_share: 1.5",
        ":13: options.long.batch_share: 1.5; it must lie between 0 and 1 (share)"),
    "NaN": ("1000", ".nan", f":6: workload.calls_per_day: NaN {NAN}"),
    "infinity": ("1000", ".inf", f":6: workload.calls_per_day: Infinity {NAN}"),
    "minus infinity": ("0.03", "-.inf", f":7: workload.growth_per_month: -Infinity {NAN}"),
    "a number beyond all numbers": ("1000", "1e999", f":6: workload.calls_per_day: Infinity {NAN}"),
    "NaN at the top": ("horizon_days: 365", "discount_rate: .nan", f":4: discount_rate: NaN {NAN}"),
    "NaN among amounts": (
        "prefix_tokens: 2600", "one_off_usd: {fee: .nan}", f":13: options.long.one_off_usd.fee: NaN {NAN}"),
    "a wage of NaN": (
        "horizon_days: 365", "wages_usd_per_hour: {engineer: .nan}", f":4: wages_usd_per_hour.engineer: NaN {NAN}"),
    "zero calls": (
        "1000", "0", ":6: workload.calls_per_day: 0; with no calls there is nothing to compare"),
    "a horizon of nothing": ("365", "0", ":4: horizon_days: 0; it must lie between 1 and 3650 (days)"),
    "a horizon of 100 years": ("365", "36525", ":4: horizon_days: 36525; it must lie between 1 and 3650 (days)"),
    "a horizon of part of a day": ("365", "1.5", ":4: horizon_days: 1.5; count whole days"),
    "a horizon past the calendar": (
        "2026-12-01", "9999-12-01", ":2: start: 9999-12-01; the horizon must end before the year 10000"),
    "a day that is none": ("2026-12-01", "2026-02-30", ':2: start: "2026-02-30" is not a date; write YYYY-MM-DD'),
    "a year for a day": ("2026-12-01", "2026", ":2: start: 2026 is not a date; write YYYY-MM-DD"),
    "a word that is none of the words": (
        "horizon_days: 365", "rank_by: npv",
        ':4: rank_by: "npv" is not one of total_usd, npv_usd; did you mean "npv_usd"?'),
    "a week of five days": (
        "growth_per_month: 0.03", "demand: {weekday: [1, 1, 1, 1, 1]}",
        ":7: workload.demand.weekday: must be flat, office, consumer or 7 numbers of zero or more"),
    "a week with a boolean": (
        "growth_per_month: 0.03", "demand: {weekday: [1, 1, 1, true, 1, 1, 1]}",
        ":7: workload.demand.weekday.3: true is not a number"),
    "a time zone on no map": (
        "growth_per_month: 0.03", "timezone: Mars/Olympus",
        ':7: workload.timezone: "Mars/Olympus" is not known; write one like Europe/Berlin or UTC'),
    "an event that ends before it begins": (
        "growth_per_month: 0.03", "events: [{name: sale, from: 2027-01-02, to: 2027-01-01, factor: 2}]",
        ":7: workload.events.0: sale ends on 2027-01-01, not after its begin on 2027-01-02"),
    "an event without a begin": (
        "growth_per_month: 0.03", "events: [{name: sale, to: 2027-01-01, factor: 2}]",
        ":7: workload.events.0.from: is required and missing"),
    "an event under the field's own name": (
        "growth_per_month: 0.03", "events: [{name: sale, from_: 2027-01-01, to: 2027-01-02, factor: 2}]",
        ':7: workload.events.0.from_: unknown key; did you mean "from"?'),
    "a duplicate key": (
        "horizon_days: 365", "baseline: tuned", ":4: the key 'baseline' stands twice; keep one"),
    "a tag": (
        "1000", "!!python/object/apply:os.system [id]",
        ":6: the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed; write the plain value"),
    "broken YAML": ("output: 40}", "output: 40", ":9: not valid YAML (did not find expected ',' or '}')"),
    "an alias bomb": (GOOD, BOMB, ":6: aliases expand to more than 200,000 values; write them out or use fewer"),
    "a tower of lists": ("1000", "[" * 1000, ":6: nested deeper than 40 levels"),
    "two documents": (GOOD, GOOD + "---\n" + GOOD, ":15: a second document begins; keep one document a file"),
    "start missing": ("start: 2026-12-01\n", "", ":1: start: is required and missing"),
    "baseline missing": ("baseline: long\n", "", ":1: baseline: is required and missing"),
    "tokens missing": ("  tokens: {input: 350, output: 40}\n", "", ":5: workload.tokens: is required and missing"),
    "output missing": (", output: 40}", "}", ":8: workload.tokens.output: is required and missing"),
    "options missing": (GOOD[GOOD.index("options:"):], "", ":1: options: is required and missing"),
    "options empty": (
        GOOD[GOOD.index("options:"):], "options: {}\n",
        ":12: options: is empty; name at least one way to serve the calls"),
    "options as a list": (
        GOOD[GOOD.index("options:"):], "options: [long]\n",
        ':12: options: ["long"] stands where options are expected by name, '
        'as in my-option: {kind: hosted_prompt, price: ...}'),
    "an option that is a word": (
        "{kind: hosted_prompt, price: acme/small, prefix_tokens: 2600}", "acme/small",
        ':13: options.long: "acme/small" stands where an option is expected, as in {kind: ...}'),
    "an option without a kind": (
        "kind: hosted_prompt, ", "", f":13: options.long.kind: is required and missing; it is one of {KINDS}"),
    "an option without a price": (
        "price: acme/small, ", "", ":13: options.long.price: is required and missing"),
    "an unknown kind": (
        "hosted_prompt", "hosted_promt",
        f':13: options.long.kind: "hosted_promt" is not one of {KINDS}; did you mean "hosted_prompt"?'),
    "a kind that is none": ("hosted_prompt", "mainframe", f':13: options.long.kind: "mainframe" is not one of {KINDS}'),
    "an option's name in capitals": (
        "  tuned:", "  Tuned:",
        ":14: options.Tuned: an option's name is small letters, digits, - and _, as in long-prompt"),
    "a baseline that is no option": (
        "baseline: long", "baseline: lang", ':3: baseline: names "lang", which is no option; did you mean "long"?'),
    "success_rate set for some options": (
        "prefix_tokens: 2600", "success_rate: 0.9",
        ":12: options: set success_rate for some and not for tuned; set it for every option or for none"),
    "ready later and nothing until then": (
        "prefix_tokens: 120", "ready_after_days: 21",
        ":14: options.tuned.ready_after_days: is 21 and nothing serves until then; name an option in until_ready"),
    "served until ready by no option": (
        "prefix_tokens: 120", "ready_after_days: 21, until_ready: lnog",
        ':14: options.tuned.until_ready: names "lnog", which is no option; did you mean "long"?'),
    "a run of two sizes": (
        "prefix_tokens: 120", "training: {usd: 3, tokens: 1e6}",
        ":14: options.tuned.training: a run is sized by one of usd, tokens, examples or hours; "
        "usd and tokens is given"),
    "a data set that costs nothing": (
        "prefix_tokens: 120", "dataset: {examples: 5}",
        ":14: options.tuned.dataset: a data set costs something: "
        "give one or more of minutes_per_example, usd_per_example, hours, usd"),
    "a price id misspelt": (
        "price: acme/small-tuned", "price: acme/smal-tuned",
        ':14: options.tuned.price: no price table "acme/smal-tuned"; did you mean "acme/small-tuned"?'),
    "a shipped price id misspelt": (
        "price: acme/small-tuned", "price: opnai/gpt-4o-mini",
        ':14: options.tuned.price: no price table "opnai/gpt-4o-mini"; did you mean "openai/gpt-4o-mini"?'),
    "a training price misspelt": (
        "prefix_tokens: 120", "training: {usd: 3, price: acme/small-tunde}",
        ':14: options.tuned.training.price: no price table "acme/small-tunde"; did you mean "acme/small-tuned"?'),
    "a grader's price misspelt": (
        "prefix_tokens: 120", "training: {usd: 3, grader: {price: acme/smal, input_tokens: 1, output_tokens: 1}}",
        ':14: options.tuned.training.grader.price: no price table "acme/smal"; did you mean "acme/small"?'),
    "a successor misspelt": (
        "prefix_tokens: 120", "successor: acme/smal",
        ':14: options.tuned.successor: no price table "acme/smal"; did you mean "acme/small"?'),
    "a start before the first price": (
        "price: acme/small,", "price: acme/sold,",
        ':27: options.long.price: "acme/sold" has no price on 2026-12-01; its first version is of 2027-03-01'),
    "a model retired before the start": (
        "price: acme/small,", "price: acme/gone,",
        ':27: options.long.price: "acme/gone" retired on 2026-12-01, not after the start on 2026-12-01; '
        'name its successor "acme/small"'),
    "a successor that is not sold in time": (
        "price: acme/small, prefix_tokens: 2600", "price: acme/ends, successor: acme/gone",
        ':27: options.long.successor: "acme/gone" retires on 2026-12-01 and cannot take over on 2027-02-01; '
        "name a model that is served longer"),
    "an inline price below zero": (
        "{input: 1, output: 2}", "{input: -1, output: 2}",
        ":10: prices.acme/small.usd_per_mtok.input: -1.0; it cannot be below zero"),
    "an inline price without a provider": (
        "acme/small: {", "small: {", ":10: prices.small: a price id is provider/model, as in mine/small"),
    "a copied price misspelt": (
        "{usd_per_mtok: {input: 1, output: 2}}", "{like: openai/gpt-4o-mni}",
        ':10: prices.acme/small.like: no price table "openai/gpt-4o-mni"; did you mean "openai/gpt-4o-mini"?'),
    "a copy of no option": (
        "kind: hosted_prompt, ", "like: tunde, ", ':13: options.long.like: no option "tunde"; did you mean "tuned"?'),
    "copies in a circle": (
        "options:\n", "options:\n  a: {like: b}\n  b: {like: a}\n",
        ":14: options.b.like: copies go round in a circle (a -> b -> a); write one of them out"),
    "two ways to pin the hit rate": (
        "prefix_tokens: 2600", "cache_hit_rate: 0.5, caching: {cache_hit_rate: 0.6}",
        ":13: options.long.caching.cache_hit_rate: stands beside cache_hit_rate; keep one"),
    "a prompt and its length": (
        "prefix_tokens: 2600", "prefix_tokens: 2600, prompt: long.md",
        ":13: options.long.prompt: stands beside prefix_tokens; keep the file or the number"),
    "an explained path that is none": (
        "horizon_days: 365", "assumes: {workload.calls_per_dya: a guess}",
        ':4: assumes.workload.calls_per_dya: is no path of this scenario; did you mean "workload.calls_per_day"?'),
}


def sentence(path: Path, *flags: str) -> str:
    """What a user is told, without the folder; one line, and the exit code of bad input."""
    with pytest.raises(TunepointError) as told:
        read_scenario(path, flags)
    text = str(told.value)
    assert told.value.exit_code == 2
    assert text == text.strip()
    assert "\n" not in text
    return text.replace(f"{path.parent}/", "")


def answer(path: Path, flags: list[str]) -> str:
    """The sentence, or nothing where the scenario could be read."""
    try:
        read_scenario(path, flags)
    except TunepointError as error:
        return str(error)
    return ""


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "x.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def changed(old: str, new: str) -> str:
    assert old in GOOD
    sold = any(f"price: acme/{name}" in new for name in ("sold", "gone", "ends"))
    return GOOD.replace(old, new, 1).replace("\noptions:\n", SALES if sold else "\noptions:\n")


def test_what_the_cases_change_is_good(tmp_path: Path) -> None:
    assert list(read_scenario(written(tmp_path, GOOD)).options) == ["long", "tuned"]


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(tmp_path: Path, case: str) -> None:
    old, new, told = CASES[case]
    assert sentence(written(tmp_path, changed(old, new))) == f"x.yaml{told}"


def test_a_million_may_be_written_1e6(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, changed("1000", "1e6")))
    assert scenario.workload.calls_per_day == 1_000_000


FILES = {
    "an empty file": (b"", f": is empty; {NEED}"),
    "nothing but a comment": (b"# soon\n", f": is empty; {NEED}"),
    "a list": (b"- a\n- b\n", f":1: a list stands where keys and values are expected; {NEED}"),
    "a word": (b"hello\n", f':1: "hello" stands where keys and values are expected; {NEED}'),
    "UTF-16": (GOOD.encode("utf-16"), ": the file is UTF-16 text; save it as UTF-8"),
    "a tab": (b"workload:\n\tcalls_per_day: 1\n", ":2: not valid YAML (a tab stands where only spaces may)"),
    "a tab after a dash": (b"a:\n-\tb: 1\n", ":2: not valid YAML (a tab stands where only spaces may)"),
    "UTF-16 without a mark": (
        GOOD.encode("utf-16-le"), ": not a text file (control characters are not allowed)"),
    "Latin-1": (GOOD.replace("cheaper", "g\u00fcnstig").encode("latin-1"),
                ": not UTF-8 text (byte 24); save it as UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), ": not UTF-8 text (byte 0); save it as UTF-8"),
    "2 MiB": (b"#" * (2 << 20), ": 2,097,152 bytes; a YAML file may hold at most 1,048,576"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_scenario(tmp_path: Path, case: str) -> None:
    content, told = FILES[case]
    assert sentence(written(tmp_path, content)) == f"x.yaml{told}"


def test_no_such_file(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    assert sentence(tmp_path / "xx.yaml") == 'xx.yaml: there is no such file; did you mean "x.yaml"?'
    assert sentence(tmp_path / "nowhere" / "q.yaml") == "q.yaml: there is no such file; name a scenario file"


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    assert sentence(tmp_path / "cases") == "cases: is a folder; name a YAML file in it"
    assert sentence(Path()) == '.: an empty name or "." is this folder; name a YAML file in it'


PROMPTS = {
    "missing": ("nowhere.md", "there is no such file"),
    "outside by dots": ("../secret.md", "this prompt lies outside"),
    "outside by a whole path": ("{outside}/secret.md", "this prompt lies outside"),
    "outside by a link": ("link.md", "this prompt lies outside"),
    "outside by a linked folder": ("there/secret.md", "this prompt lies outside"),
    "a folder": (".", "a folder or a device cannot be a prompt"),
    "empty": ("empty.md", "the prompt is empty"),
    "binary": ("binary.md", "is not UTF-8 text"),
    "UTF-16": ("wide.md", "is not UTF-8 text"),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_a_prompt_that_cannot_be_read(tmp_path: Path, case: str) -> None:
    named, told = PROMPTS[case]
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.md").write_text("You keep secrets.")
    (inside / "link.md").symlink_to(tmp_path / "secret.md")
    (inside / "there").symlink_to(tmp_path)
    (inside / "empty.md").write_text("")
    (inside / "binary.md").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (inside / "wide.md").write_text("You sort tickets.", "utf-16")
    named = named.format(outside=tmp_path)
    text = sentence(written(inside, GOOD.replace("prefix_tokens: 2600", f'prompt: "{named}"')))
    assert text.startswith("x.yaml:13: options.long.prompt: ")
    assert told in text
    assert "secrets" not in text


PLACES = sorted({dotted(place) for place in parse_yaml(GOOD, "x").lines if place and "prices" not in place[:-1]})
VALUES = st.one_of(
    st.sampled_from(["", "~", "true", ".nan", "-.inf", "-1", "0", "1e30", "[]", "{}", "[1]", "{a: 1}", "2026-12-01",
                     "long", "tuned", "stop", "acme/small", "a/b", "[[1], {b: 2}]", "9" * 400, "{like: long}"]),
    st.text(max_size=12),
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_whatever_a_flag_writes_there_is_an_answer_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, flags: list[tuple[str, str]]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), GOOD)
    assert len(answer(path, [f"{place}={value}" for place, value in flags]).splitlines()) <= 1


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_whatever_a_file_holds_ends_in_one_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    text = sentence(written(tmp_path_factory.getbasetemp(), content))
    assert re.match(r"x\.yaml[:0-9]*: ", text)
