"""What the reader has: a prompt, calls, a usage log, training examples; read, priced, and sent into the scenario."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from dashboard import own_examples, own_kept, own_usage, question, shown, work
from dashboard.guard import guarded
from simulator import (
    Fit,
    HostedOption,
    TokenCount,
    Trace,
    count_tokens,
    decode_prompt,
    describe_trace,
    fit_settings,
    fit_trace,
    parse_trace,
    replay,
    shipped_book,
    trace_settings,
)
from simulator.formats import NONE, count, measured, usd_exact


@st.fragment
def page() -> None:
    """What one may have, each in a tab."""
    shown.title("Your data", "How long is your prompt, what do your calls look like, and what would they have cost?")
    with guarded():
        question.keep_in_address(question.asked())
        prompt, trace, usage, examples = st.tabs(["A prompt", "Single calls", "A usage log", "Training examples"])
        with prompt, guarded():
            _prompt()
        with trace, guarded():
            _trace()
        with usage, guarded():
            own_usage.show()
        with examples, guarded():
            own_examples.show()


def _prompt() -> None:
    text = st.text_area("Paste a prompt", height=220, placeholder="You sort support tickets ...",
                        **own_kept.typed("pasted prompt"))
    file = own_kept.file("prompt", "or drop a text file", ["txt", "md"])
    if file is not None:
        text = decode_prompt(file.raw, file.name)
    if not text.strip():
        shown.say("Nothing is sent anywhere: the tokens are counted by this server, offline.")
        return
    scenario = work.scenario_of(question.asked())
    rules = {name: scenario.prices[option.price].on(scenario.start).rules.tokens
             for name, option in scenario.options.items() if isinstance(option, HostedOption)}
    count_in = own_kept.once("prompt", _counting, text)
    counted = {name: count_in(rule.encoding, rule.factor) for name, rule in rules.items()}
    plain = count_in(own_examples.ENCODING, 1.0)
    shown.table(
        {"option": "", "price": "", "tokens": "n", "counted with": "", "how sure": ""},
        [("any", "", f"{plain.tokens:,}", plain.encoding, "exact" if plain.exact else plain.note),
         *((name, scenario.options[name].price, f"{found.tokens:,}", found.encoding,
            "exact" if found.exact and rules[name].exact else found.note or "encoding not confirmed")
           for name, found in counted.items())],
    )
    if not counted:
        shown.say("No option of this scenario is hosted, and the tokenizer of a model on machines is not known here: "
                  "lay its count over options.NAME.prefix_tokens, with Set any value on the first page.")
        return
    option = st.selectbox("Use it as the shared prompt of", list(counted), key=f"prompt for {st.session_state.round}")
    st.button(
        "Send into the scenario", on_click=question.lay_from_elsewhere,
        args=({f"options.{option}.prefix_tokens": str(counted[option].tokens)},),
    )
    if f"options.{option}.prefix_tokens" in st.session_state.laid:
        shown.say(f"{option} now has a shared prompt of {st.session_state.laid[f'options.{option}.prefix_tokens']} "
                  "tokens; see Decide.")


def _counting(text: str) -> Callable[[str | None, float], TokenCount]:
    """Counts the tokens of a text, in each encoding once, as options share them: of 20 MB it takes many seconds."""
    return functools.cache(functools.partial(count_tokens, text))


def _read(raw: bytes, name: str) -> tuple[Trace, dict[str, Any]]:
    """A trace and what it says."""
    trace = parse_trace(raw, name)
    return trace, describe_trace(trace)


def _trace() -> None:
    file = own_kept.file(
        "trace", "Drop a log of calls: CSV or gzip with TIMESTAMP, ContextTokens, GeneratedTokens", ["csv", "gz"])
    if file is None:
        return
    trace, told = own_kept.once("trace", _read, file.raw, file.name)
    shown.say(f"{told['rows']:,} calls over {measured(told['span_s'])} s; {count(told['input_tokens'])} tokens in, "
              f"{count(told['output_tokens'])} out.")
    names = ("mean", "p50", "p95", "p99", "max")
    shown.table(
        {"tokens a call": "", **dict.fromkeys(names, "n")},
        [(side, *(measured(told[side][name]) for name in names)) for side in ("input", "output")],
    )
    spread = ", ".join(f"{NONE if value is None else measured(value)} in {window.removesuffix('s')} s"
                       for window, value in told["dispersion"].items())
    shown.points("", [*trace.notes, f"Dispersion of counts (1 for a Poisson stream): {spread}."])
    _bill(trace)
    shown.send("trace", trace_settings(trace), "Means and spreads alone")
    with guarded():
        _fit(trace)


def _fit(trace: Trace) -> None:
    """How calls come, fitted, beside what the log shows; the fit tells the notes of both."""
    fit: Fit = own_kept.once("trace", fit_trace, trace)
    shown.table(
        {"fitted": "", "of the log": "n", "of the fit": "n"},
        [(what, *("" if value is None else measured(value) for value in (seen, modelled)))
         for what, seen, modelled in fit.rows],
    )
    shown.points("", [note for note in fit.notes if note not in trace.notes])
    shown.send("fit", fit_settings(fit), "The whole fit: hours, levels and bursts too")


def _bill(trace: Trace) -> None:
    """What it would have cost on a day, to the cent."""
    book = shipped_book()
    ids = sorted(book.prices)
    price, on = st.columns([3, 1])
    chosen = price.selectbox("Bill every call at", ids, ids.index("openai/gpt-5.4-mini"), key="trace price")
    day = on.date_input("on", value=date.today(), key="trace on")
    with guarded():
        bill = replay(trace, book.table(chosen), day)
        lines = ", ".join(f"{line} {usd_exact(usd)}" for line, usd in bill.by_line.items())
        shown.say(f"{usd_exact(bill.cost_usd)} at {bill.price_version}, nothing cached: {lines}.")
