"""A reader's own files say on the page what they say on the command line, and go into the scenario as settings."""

from __future__ import annotations

import gc
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest

import simulator
from dashboard import own_data
from pricing.errors import InputError
from simulator.cli import main
from simulator.formats import usd
from tests.dashboards import words

DATA = Path(__file__).parent / "data"
TOY = DATA / "openai_cookbook" / "toy_chat_fine_tuning.jsonl"
PAGE = "from dashboard import own_data, question\nquestion.begin()\nown_data.page()\n"
TWO_PAGES = """
import streamlit as st
from dashboard import about, own_data, question
question.begin()
own_data.page() if st.session_state.get("on", "data") == "data" else about.page()
"""
LOG = "time,model,input,output,cached\n" + "".join(
    f"2026-11-{day:02d}T{hour:02d}:10:00,gpt-4o-mini,3000,40,2560\n"
    for day in range(2, 16) for hour in (9, 9, 10, 15)
)
OPENAI = LOG.replace("time,model,input,output,cached", "start_time,model,input_tokens,output_tokens,"
                     "input_cached_tokens").replace("\n", ",1\n").replace("tokens,1", "tokens,num_model_requests", 1)


def opened(upload: tuple[str, str, bytes] | None = None, **asked: Any) -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60)
    for key, value in asked.items():
        page.query_params[key] = value
    page.run()
    if upload is not None:
        key, name, raw = upload
        page.file_uploader(key=key).upload(name, raw, "text/plain")
        page.run()
    assert not page.exception
    return page


def mistakes(page: AppTest) -> list[str]:
    wrong = [part.proto.body for part in page.get("html") if '"tp-wrong"' in part.proto.body]
    return [html.unescape(re.sub(r"<[^>]*>", "", body)) for body in wrong]


def sent(page: AppTest, name: str) -> dict[str, str]:
    """What the page lays over the scenario when it is told to send."""
    page.button(key=f"send {name}").click()
    page.run()
    assert mistakes(page) == []
    laid: dict[str, str] = page.session_state.laid
    return laid


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_training_examples_are_checked_and_priced_as_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    page = opened(("examples file", TOY.name, TOY.read_bytes()))
    answer = told(capsys, "dataset", str(TOY))
    shown = words(page)
    assert f"{answer['tokens']['total']:,} tokens" in shown
    first = answer["training"][0]
    assert first["price"] in shown
    assert usd(first["usd"]) in shown
    for note in answer["notes"]:
        assert note in shown
    laid = sent(page, "examples")
    assert laid["options.tuned-api.training.examples"] == "5"
    assert float(laid["options.tuned-api.training.tokens_per_example"]) == pytest.approx(8233 / 5)


def test_tools_of_the_examples_are_told_apart_from_what_is_priced(capsys: pytest.CaptureFixture[str]) -> None:
    drone = TOY.with_name("drone_training.jsonl")
    tokens = told(capsys, "dataset", str(drone))["tokens"]
    shown = words(opened(("examples file", drone.name, drone.read_bytes())))
    assert f"{tokens['total']:,} tokens" in shown
    assert f"another {tokens['tools']:,} tokens; the prices below are without them" in shown
    assert "Tool definitions" not in words(opened(("examples file", TOY.name, TOY.read_bytes())))


def test_a_bad_line_is_told_by_its_number() -> None:
    page = opened(("examples file", "mine.jsonl", TOY.read_bytes() + b'{"messages": []}\n'))
    assert "line 6: messages is empty" in words(page)


def test_a_file_without_examples_is_one_sentence_that_names_it() -> None:
    (sentence,) = mistakes(opened(("examples file", "mine.jsonl", b"{}\n")))
    assert sentence.startswith("mine.jsonl: line 1")


def test_a_usage_log_is_summed_and_billed_as_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "openai.csv"
    path.write_text(OPENAI, "utf-8")
    page = opened(("usage file", path.name, OPENAI.encode()))
    answer = told(capsys, "usage", str(path))
    (bill,) = answer["bill"]
    shown = words(page)
    assert bill["book_usd"] > 0
    assert usd(bill["book_usd"]) in shown
    assert "gpt-4o-mini" in shown
    laid = sent(page, "usage")
    assert float(laid["workload.calls_per_day"]) == pytest.approx(answer["calls_per_day"]) == 4
    assert float(laid["workload.tokens.input"]) == 3000 - 2600  # the shared prompt of the shipped question is 2,600
    assert json.loads(laid["workload.demand.hours"])[9] == pytest.approx(12)
    assert len(json.loads(laid["workload.demand.weekday"])) == 7
    decide = opened_decide(laid)
    assert mistakes(decide) == []
    assert "at 4 calls a day" in words(decide)


def test_a_usage_log_says_which_spreads_of_single_calls_it_leaves_as_they_were() -> None:
    told = "so what was laid over before stays: workload.tokens.input_cv = 0.4, workload.tokens.output_cv = 0.9."
    spreads = ["workload.tokens.input_cv=0.4", "workload.tokens.output_cv=0.9", "workload.tokens.input=500"]
    page = opened(("usage file", "openai.csv", OPENAI.encode()), set=spreads)
    assert told in words(page)
    assert sent(page, "usage")["workload.tokens.input_cv"] == "0.4"
    assert told in words(page)
    assert "laid over before" not in words(opened(("usage file", "openai.csv", OPENAI.encode())))


def opened_decide(laid: dict[str, str]) -> AppTest:
    page = AppTest.from_string("from dashboard import decide, question\nquestion.begin()\ndecide.page()\n",
                               default_timeout=60)
    page.query_params["set"] = [f"{path}={value}" for path, value in laid.items()]
    return page.run()


def test_a_csv_of_ones_own_is_read_by_its_columns() -> None:
    own = LOG.replace("time,", "at,").replace("input,", "sent,").replace(",output", ",got")
    page = opened(("usage file", "own.csv", own.encode()))
    (sentence,) = mistakes(page)
    assert "own.csv" in sentence
    assert told_of_columns(page) == sentence
    for typed, wrong in {"time=at": "input is missing", "tim=at": "tim is none of", "time at": "is no pair"}.items():
        page.text_input(key="usage columns").set_value(typed).run()
        assert wrong in told_of_columns(page)
    page.text_input(key="usage columns").set_value("time=at, model=model, input=sent, output=got, cached=cached")
    page.run()
    assert mistakes(page) == []
    assert "56 calls on 14 days" in words(page)


def told_of_columns(page: AppTest) -> str:
    """The one sentence of a mistake, which names the field of the page and nothing of the command line."""
    (sentence,) = mistakes(page)
    assert f'the field "{page.text_input(key="usage columns").label}"' in sentence
    assert "--" not in sentence
    return sentence


def test_a_log_whose_calls_are_shorter_than_the_prompt_is_told_what_to_do() -> None:
    page = opened(("usage file", "openai.csv", OPENAI.replace("3000", "2570").encode()))
    (sentence,) = mistakes(page)
    assert "the shared prompt alone is 2,600" in sentence
    page.checkbox(key="prompt apart").uncheck()
    page.run()
    assert mistakes(page) == []
    assert float(sent(page, "usage")["workload.tokens.input"]) == 2570


def trace() -> bytes:
    """Two hours of calls, one every four seconds, alternately 300 and 500 tokens long."""
    rows = (f"2026-11-02 {9 + at // 3600:02d}:{at % 3600 // 60:02d}:{at % 60:02d}.0000000,"
            f"{300 + 200 * (at % 8 // 4)},20" for at in range(0, 7200, 4))
    return ("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n").encode()


def test_a_trace_is_described_fitted_billed_and_sent_either_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(trace())
    page = opened(("trace file", path.name, trace()))
    assert mistakes(page) == []
    page.selectbox(key="trace price").set_value("openai/gpt-5.4-mini")
    page.run()
    day = page.date_input(key="trace on").value
    answer = told(capsys, "trace", str(path), "--price", "openai/gpt-5.4-mini", "--on", str(day))
    shown = words(page)
    assert f"${answer['cost_usd']:,.2f}" in shown
    assert "dispersion of counts in 60 s" in shown
    assert "7,196 s" in shown
    assert "calls a day 21,6" in re.sub(r"\s+", " ", shown)                # no 2.16e+04
    laid = sent(page, "trace")
    assert float(laid["workload.calls_per_day"]) == pytest.approx(21_600)
    assert float(laid["workload.tokens.input"]) == 400
    fitted = sent(page, "fit")
    assert float(fitted["workload.tokens.input_cv"]) == pytest.approx(0.25, abs=1e-4)
    assert json.loads(fitted["workload.demand"]) == {}
    assert "at 21,600 calls a day" in words(opened_decide(fitted))


def test_what_is_doubted_of_a_trace_and_of_its_fit_is_told_under_the_name_that_was_sent() -> None:
    page = opened(("trace file", "mine.csv", trace().rstrip()))
    assert mistakes(page) == []
    shown = words(page)
    assert "mine.csv: the last line has no line end" in shown
    assert "mine.csv: covers 2.0 hours, too few to tell the hours of a day apart" in shown
    assert shown.count("no line end") == 1
    assert "/sent" not in shown
    alone = opened(("trace file", "one.csv", b"".join(trace().splitlines(keepends=True)[:2])))
    assert mistakes(alone)[0].startswith("one.csv: 1 calls at one moment")


def test_a_log_without_calls_says_nothing_of_a_workload() -> None:
    nothing = simulator.Usage(
        rows=0, calls=0.0, days=0, models={}, by_day={}, hours=None, weekdays=None, failed=0.0, usd=None
    )
    with pytest.raises(InputError, match="holds no calls"):
        simulator.usage_settings(nothing)


def test_an_export_without_calls_asks_for_their_number_and_of_another_anew() -> None:
    """The 1.2 million tokens of 300 calls are 4,000 each, of which 2,600 are the shared prompt."""
    log = ("usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens\n"
           "2026-11-02,claude-haiku-4-5,1200000,6000\n")
    page = opened(("usage file", "anthropic.csv", log.encode()))
    assert mistakes(page) == []
    assert "number is not in the export" in words(page)
    page.number_input[0].set_value(300).run()
    laid = sent(page, "usage")
    assert (laid["workload.calls_per_day"], laid["workload.tokens.input"]) == ("300", "1400")
    other = ("anthropic.csv", log.replace("1200000", "2400000").encode(), "text/csv")
    page.file_uploader(key="usage file").upload(*other).run()
    assert page.number_input[0].value is None
    assert "Type how many calls the log holds" in words(page)
    page.file_uploader(key="usage file").upload("anthropic.csv", log.encode(), "text/csv").run()
    assert page.number_input[0].value == 300


def test_a_prompt_is_counted_where_no_option_is_hosted_too() -> None:
    asked = yaml.safe_load(simulator.default_scenario_path().read_text("utf-8"))
    asked.pop("assumes", None)
    asked["options"] = {name: one for name, one in asked["options"].items() if one["kind"] == "self_hosted"}
    asked["baseline"] = next(iter(asked["options"]))
    for one in asked["options"].values():
        one.pop("until_ready", None)
        one.pop("ready_after_days", None)
    packed = simulator.pack_link(yaml.safe_dump(asked).encode())
    assert packed is not None
    page = opened(yaml=packed)
    page.text_area(key="pasted prompt").set_value("hello " * 100).run()
    assert not page.exception
    said = " ".join(part.proto.body for part in page.get("html"))
    assert "o200k_base" in said
    assert "No option of this scenario is hosted" in said
    assert "Something went wrong" not in said


def test_what_was_sent_and_typed_is_there_after_another_page_until_it_is_taken_off() -> None:
    page = AppTest.from_string(TWO_PAGES, default_timeout=60).run()
    files = {"prompt": ("prompt.txt", b"hello " * 100), "trace": ("trace.csv", trace()),
             "usage": ("own.csv", LOG.replace("time,", "at,").encode()), "examples": (TOY.name, TOY.read_bytes())}
    page.text_area(key="pasted prompt").set_value("You sort support tickets.")
    page.text_input(key="usage columns").set_value("time=at, model=model, input=input, output=output")
    for kind, (name, raw) in files.items():
        page.file_uploader(key=f"{kind} file").upload(name, raw, "text/plain")
    page.run()
    before = words(page)
    assert mistakes(page) == []
    assert "sent before" not in before

    page.session_state.on = "about"
    page.run()
    assert "Where does each figure come from" in words(page)
    page.session_state.on = "data"
    page.run()
    assert not page.exception
    kept = words(page)
    for name, _ in files.values():
        kept = kept.replace(f" {name}, sent before. ", "")
    assert kept.split() == before.split()
    assert page.text_area(key="pasted prompt").value == "You sort support tickets."

    for kind in files:
        page.button(key=f"take off {kind}").click().run()
    assert "sent before" not in words(page)
    assert "1,800 calls over" not in words(page)
    assert "found trace" not in page.session_state
    page.text_area(key="pasted prompt").set_value("").run()
    assert "Nothing is sent anywhere: the tokens are counted" in words(page)


def test_a_file_of_a_kind_takes_the_place_of_the_one_before() -> None:
    page = opened(("prompt file", "one.txt", b"hello " * 100))
    page.file_uploader(key="prompt file").upload("two.txt", b"hello " * 200, "text/plain").run()
    assert page.session_state["sent prompt"] == ("two.txt", b"hello " * 200)


def test_a_prompt_is_counted_once_for_all_options_that_share_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[Any, ...]] = []

    def count(*given: Any) -> simulator.TokenCount:
        counted.append(given)
        return simulator.count_tokens(*given)

    monkeypatch.setattr(own_data, "count_tokens", count)
    page = opened()
    page.text_area(key="pasted prompt").set_value("a prompt that no other test has pasted").run()
    page.run()
    assert len(counted) == len(set(counted)) > 0


def test_nothing_of_what_was_sent_outlives_its_session() -> None:
    kinds = {simulator.TokenCount, simulator.Trace, simulator.Fit, simulator.Usage, simulator.DatasetCheck}

    def found() -> list[Any]:
        gc.collect()
        return [one for one in gc.get_objects() if type(one) in kinds and not any(one is other for other in before)]

    before: list[Any] = []
    before += found()
    page = opened(("trace file", "mine.csv", trace()), scenario="support-triage-2024-09")
    page.file_uploader(key="usage file").upload("openai.csv", OPENAI.encode(), "text/csv")
    page.file_uploader(key="examples file").upload(TOY.name, TOY.read_bytes(), "text/plain")
    page.text_area(key="pasted prompt").set_value("a prompt of this session alone").run()
    assert mistakes(page) == []
    assert {type(one) for one in found()} == kinds
    del page
    assert found() == []
