"""A usage log of the reader: what was called and paid, checked against the price book, and sent into the scenario."""

from __future__ import annotations

import hashlib
import math

import streamlit as st

from dashboard import own_kept, question, shown, work
from pricing.errors import InputError
from simulator import Usage, checked_bill, parse_usage, shipped_book, usage_settings
from simulator.formats import NONE, count, day, days, quantity, usd, usd_exact

NAMES = "OpenAI, Anthropic, LiteLLM, Langfuse, OpenTelemetry, or a CSV of your own"
COLUMNS = "Columns of a CSV of your own"
ASKED_BY = f'the field "{COLUMNS}"'
"""How a mistake names it."""


def show() -> None:
    """Upload, sums, bill, settings."""
    file = own_kept.file("usage", f"Drop a usage log: {NAMES}", ["csv", "json", "jsonl"])
    typed = st.text_input(
        COLUMNS, **own_kept.typed("usage columns"), placeholder="time=created_at, input=tokens_in, ...",
        help="Pairs of a field and the name of a column: time, model, input, output, cached, cache\\_write, calls, "
             "usd, failed, service.",
    )
    if file is None:
        shown.say("Nothing is sent anywhere: the log is read by this server, and forgotten with this session.")
        return
    usage: Usage = own_kept.once("usage", parse_usage, file.raw, file.name, _columns(typed) or None, ASKED_BY)
    paid = "" if usage.usd is None else f"; {usd_exact(usage.usd)} paid"
    if usage.usd is not None and usage.unpaid_rows:
        paid += f", and {count(usage.unpaid_rows)} of {count(usage.rows)} rows have no cost"
    calls = "Calls whose number is not in the export" if usage.calls is None else f"{count(usage.calls)} calls"
    shown.say(f"{calls} on {days(usage.days)}, {day(min(usage.by_day))} to "
              f"{day(max(usage.by_day))}; {count(usage.failed)} failed{paid}.")
    _bill(usage)
    if usage.calls is None:
        log = f"{file.name} {hashlib.blake2b(file.raw, digest_size=8).hexdigest()}"
        calls_held = st.number_input(
            "Calls in all of this log", min_value=1, value=None, **own_kept.typed(f"usage calls {log}"))
        if calls_held is None:
            shown.say("Type how many calls the log holds, to send them into the scenario.")
            return
        usage = usage.counting(calls_held)
    _settings(usage)


def _columns(typed: str) -> dict[str, str]:
    """The column of each field, as typed."""
    pairs = [part.strip().partition("=") for part in typed.replace("\n", ",").split(",") if part.strip()]
    for field, equals, column in pairs:
        if not equals or not column.strip():
            raise InputError(f'{ASKED_BY}: "{field}" is no pair; write FIELD=COLUMN, as in time=created_at')
    return {field.strip(): column.strip() for field, _, column in pairs}


def _bill(usage: Usage) -> None:
    """What each model's tokens cost by the book, beside what was paid."""
    bills = checked_bill(usage.sold, shipped_book().prices, max(usage.by_day), paid=usage.usd is not None)
    meters = ("input", "cached", "cache_write", "output")
    shown.table(
        {"model": "", "calls": "n", **{f"{meter.replace('_', ' ')} tokens": "n" for meter in meters},
         "by the book": "n", "paid": "n", "price": ""},
        [(one.model or "(no name)", count(usage.sold[one.model, one.service].get("calls", math.nan)),
          *(count(usage.sold[one.model, one.service][meter]) for meter in meters),
          NONE if one.book_usd is None else usd(one.book_usd), NONE if one.paid_usd is None else usd(one.paid_usd),
          one.note) for one in bills],
    )


def _settings(usage: Usage) -> None:
    """The log as a workload; it counts the shared prompt as input, which a scenario counts apart."""
    scenario = work.scenario_of(question.asked())
    prefix = scenario.options[scenario.baseline].prefix_tokens
    apart = st.checkbox(
        f"Of the input, {quantity(prefix)} tokens a call are the shared prompt of the option of today",
        value=True, key="prompt apart", help="A log counts the prompt as input; a scenario counts it apart.",
    )
    settings = usage_settings(usage, prefix if apart else 0.0)
    kept = [f"{path} = {value}" for path, value in st.session_state.laid.items()
            if path.startswith("workload.tokens.") and path not in settings]
    if kept:
        shown.say("A usage log sums calls up and says nothing of how they differ, so what was laid over before stays: "
                  f"{', '.join(kept)}.")
    shown.send("usage", settings)
