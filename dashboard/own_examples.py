"""Training examples of the reader: checked line by line, counted, priced wherever they can be trained."""

from __future__ import annotations

from datetime import date

import streamlit as st

from dashboard import own_kept, question, shown, work
from simulator import (
    DatasetCheck,
    count_tokens,
    dataset_settings,
    describe_dataset,
    parse_dataset,
    rented_training,
    shipped_book,
    shipped_hardware,
    training_offers,
)
from simulator.formats import count, many, quantity, usd

ENCODING = "o200k_base"
"""What tokens are counted with where no model is named."""
TOLD, OFFERED = 30, 20
"""Problems and prices that are listed; the rest is counted."""
LENGTHS = ("mean", "p50", "p95", "max")


def show() -> None:
    """Upload, checks, lengths, prices, settings."""
    file = own_kept.file(
        "examples", "Drop training examples: JSONL in the chat, ShareGPT, Alpaca or completion form", ["jsonl", "json"])
    if file is None:
        shown.say("Every line is checked, and nothing is sent anywhere.")
        return
    check = own_kept.once("examples", _read, file.raw, file.name)
    told = describe_dataset(check)
    shown.say(f"{many(check.records, 'record')} ({check.shape}), {many(check.tokens, 'token')} ({ENCODING}); "
              f"{told['split']['train']:,} to train on and {told['split']['validation']:,} to measure on.")
    shown.table(
        {"tokens an example": "", **dict.fromkeys(LENGTHS, "n"), "answers, all": "n"},
        [("", *(quantity(round(told["tokens"][name])) for name in LENGTHS), count(told["tokens"]["answers"]))],
    )
    if tools := told["tokens"]["tools"]:
        shown.say(f"Tool definitions hold another {many(tools, 'token')}; the prices below are without them.")
    more = check.problem_count - min(TOLD, len(check.problems))
    shown.points(many(check.problem_count, "problem"), [
        *(f"line {line}: {what}" for line, what in check.problems[:TOLD]), *([f"and {more:,} more"] if more else []),
    ])
    shown.points("Good to know", check.notes)
    _prices(check)
    _settings(check)


def _read(raw: bytes, name: str) -> DatasetCheck:
    """A checked file."""
    found: DatasetCheck = parse_dataset(raw, name, lambda text: count_tokens(text, ENCODING).tokens)
    return found


def _prices(check: DatasetCheck) -> None:
    """What a run costs wherever one can be started, cheapest first."""
    on = st.date_input("A run started on", value=date.today(), key="examples on")
    examples = len(check.lengths)
    offers = sorted([
        *training_offers(shipped_book().prices, on, examples, {None: check.tokens}),
        *rented_training(shipped_hardware(), on, examples, check.tokens),
    ], key=lambda one: one.usd)
    sold = [one for one in offers if one.confidence != "unverified"]
    shown.table(
        {"training at": "", "method": "", "epochs": "n", "tokens": "n", "GPU-h": "n", "a run": "n", "note": ""},
        [(one.price, one.method, quantity(one.epochs), count(one.tokens),
          "" if one.gpu_hours is None else f"{one.gpu_hours:.2f}", usd(one.usd), one.note)
         for one in sold[:OFFERED]],
    )
    if len(offers) > OFFERED:
        shown.say(f"{len(offers) - min(OFFERED, len(sold)):,} dearer or unverified prices more.")


def _settings(check: DatasetCheck) -> None:
    """The set as the training of an option."""
    options = work.scenario_of(question.asked()).options
    tuned = [name for name, option in options.items() if getattr(option, "training", None) is not None]
    if not tuned:
        shown.say("The scenario has no fine-tuned option to send it into.")
        return
    option = st.selectbox("Use it as the training set of", tuned, key=f"examples for {st.session_state.round}")
    shown.send("examples", dataset_settings(check, option))
