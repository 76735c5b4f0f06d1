"""The sliders: every dial of the scenario, in groups, with its unit and where its value comes from."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import streamlit as st

from dashboard import question
from dashboard.answer import knobs_of
from dashboard.shown import say
from dashboard.work import Question
from simulator import DIAGNOSIS_QUESTIONS
from simulator.domain.findings import Knob
from simulator.formats import setting

OPEN_AT_FIRST = "Volume"
SAID = {"unknown": "not said", "true": "yes", "false": "no"}
ANSWERS = tuple(SAID)


def show() -> None:
    """The sliders of the scenario that is asked."""
    for group, members in groupby(_knobs(), key=lambda knob: knob.group):
        _group(group, list(members))
    _diagnosis()
    _any_value()
    if st.session_state.laid or st.session_state.rates or st.session_state.machines:
        st.button("Back to the scenario as written", on_click=question.forget, width="stretch")


def _knobs() -> tuple[Knob, ...]:
    read = {path: _number(text) for path, text in st.session_state.linked.items()}
    linked = tuple((path, number) for path, number in read.items() if number is not None)
    found: tuple[Knob, ...] = knobs_of(question.written(), linked)
    return found


def _group(group: str, members: list[Knob]) -> None:
    """One group; what is closed costs nothing, as its sliders are made when it is opened."""
    moved = [knob for knob in members if knob.path in st.session_state.laid]
    turn = f"{group} {st.session_state.round}"
    fold = st.expander(group, expanded=group == OPEN_AT_FIRST or bool(moved), key=f"group {turn}", on_change="rerun")
    if not fold.open:
        return
    with fold:
        more = st.session_state.get(f"more {turn}", [])
        for option, dials in groupby(members, key=lambda knob: knob.option):
            shown = [knob for knob in dials if knob.at_hand or knob in moved or knob.path in more]
            if shown and option:
                st.html(f'<h4 class="tp-head">{option}</h4>')
            for knob in shown:
                _slider(knob)
        rest = [knob.path for knob in members if not knob.at_hand and knob not in moved]
        if rest:
            st.multiselect(
                "More dials", rest, key=f"more {turn}", placeholder="Choose what else to turn",
                help="Dials that the scenario leaves at their default.",
            )


def said_short(stops: Iterable[float], unit: str) -> dict[float, str]:
    """Positions as a person reads them: fractions beyond five digits go, unless two would read alike.

    >>> said_short([30_000.0, 31_274.0023, 123_456.0], "1/day")
    {30000.0: '30,000', 31274.0023: '31,274', 123456.0: '123,456'}
    >>> said_short([0.02, 0.0253333333], "share"), said_short([50_000.0, 50_000.3], "1/day")
    ({0.02: '2 %', 0.0253333333: '2.5333 %'}, {50000.0: '50,000', 50000.3: '50,000.3'})
    """
    short = {value: setting(_short(value, 2 if unit.startswith("share") else 0), unit) for value in stops}
    often = Counter(short.values())
    return {value: words if often[words] == 1 else setting(value, unit) for value, words in short.items()}


def _short(value: float, shift: int) -> float:
    """Five digits, or as many as stand before the point when it is `shift` places further right."""
    if not value:
        return value
    return round(value, max(0, 4 - shift - math.floor(math.log10(abs(value)))) + shift)


def named(label: str, unit: str) -> str:
    """What a dial is called, with its unit where neither the name nor the number says it."""
    said = unit in ("share", "1/day", "USD", "") or unit.lower() in label.lower().split()
    return label if said else f"{label} ({unit})"


def _slider(knob: Knob) -> None:
    """A dial at its value; to move it is to lay a value over its path, as `--set` does."""
    dial, key = knob.dial, _key(knob)
    st.select_slider(
        named(dial.label, dial.unit), knob.stops, _stands_at(knob.path, knob.value), key=key,
        format_func=said_short(knob.stops, dial.unit).__getitem__, on_change=_moved, args=(knob.path, key, knob.value),
        help=f"`{knob.path}`, {setting(knob.value, dial.unit)} as written: {question.plain(knob.source)}",
    )
    laid = st.session_state.laid.get(knob.path)
    if laid is not None and _number(laid) is None:
        say(f"Laid over it: {laid}. Move the dial to lay a number instead.")


def _moved(path: str, key: str, as_written: float) -> None:
    value, before = st.session_state[key], _stands_at(path, as_written)
    st.session_state.turned, st.session_state.heading = path, 1 if value >= before else -1
    question.lay(path, _text(value, as_written))


def _stands_at(path: str, as_written: float) -> float:
    """The value of a dial now: what was laid over its path, or else that of the scenario."""
    laid = _number(st.session_state.laid.get(path, ""))
    return as_written if laid is None else laid


def _text(value: float, as_written: float) -> str | None:
    """A value as it is laid over a path: in few digits where they say it, or else in all, as a link may have set it.

    None for that of the scenario, over which nothing is laid.
    """
    few = f"{value:.12g}"
    return None if value == as_written else few if float(few) == value else repr(value)


class Position(NamedTuple):
    """A stop of a dial, and the question that is asked when the dial stands there."""

    dial: str
    """Key of its slider, which is another for another scenario."""
    others: str
    """Digest of all else that the charts depend on: the other dials, prices of one's own."""
    stop: int
    """Which of the slider's stops, counted from 0."""
    question: Question

    @property
    def at(self) -> tuple[str, str, int]:
        """All but the question, as the browser is told it."""
        return self.dial, self.others, self.stop


def here() -> Position | None:
    """Where the dial stands that was moved last, or else the first one; None where the scenario has no dials."""
    knob = _moved_last()
    return None if knob is None else _positions(knob, [_stop(knob)])[0]


def beside() -> list[Position]:
    """The positions at which that dial may be next: one stop on in the direction of its last move, one back, two on."""
    knob = _moved_last()
    if knob is None:
        return []
    on = st.session_state.get("heading", 1)
    stops = (_stop(knob) + step for step in (on, -on, 2 * on))
    return _positions(knob, [stop for stop in stops if 0 <= stop < len(knob.stops)])


def _moved_last() -> Knob | None:
    """The dial that was moved last, or else the first one; one over which a range is laid has no position."""
    laid, path = st.session_state.laid, st.session_state.get("turned")
    knobs = [knob for knob in _knobs() if _number(laid.get(knob.path, "0")) is not None]
    return next((knob for knob in knobs if knob.path == path), knobs[0] if knobs else None)


def _stop(knob: Knob) -> int:
    """The stop nearest to where a dial stands."""
    value = _stands_at(knob.path, knob.value)
    return min(range(len(knob.stops)), key=lambda stop: abs(knob.stops[stop] - value))


def _positions(knob: Knob, stops: list[int]) -> list[Position]:
    laid = st.session_state.laid
    at_home = question.asked({path: said for path, said in laid.items() if path != knob.path})
    others = hashlib.blake2b(repr(at_home.flags).encode(), digest_size=8).hexdigest()
    texts = ((stop, _text(knob.stops[stop], knob.value)) for stop in stops)
    return [
        Position(_key(knob), others, stop, at_home if text is None else question.asked({**laid, knob.path: text}))
        for stop, text in texts
    ]


def _key(knob: Knob) -> str:
    return f"dial {knob.path} {st.session_state.round}"


def _diagnosis() -> None:
    """What only the reader knows of the prompt; the answers change the words of the verdict, not the money."""
    fold = st.expander("Is tuning due? Your answers", key=f"asked {st.session_state.round}", on_change="rerun")
    if not fold.open:
        return
    with fold:
        for name, words in DIAGNOSIS_QUESTIONS.items():
            path, key = f"diagnosis.{name}", f"answer {name} {st.session_state.round}"
            said = st.session_state.laid.get(path, ANSWERS[0])
            st.radio(
                words, ANSWERS, ANSWERS.index(said) if said in ANSWERS else 0, key=key, horizontal=True,
                format_func=SAID.get, on_change=_answered, args=(path, key),
            )


def _answered(path: str, key: str) -> None:
    value = st.session_state[key]
    question.lay(path, None if value == ANSWERS[0] else value)


def _any_value() -> None:
    """Any value of the file, to the last digit, in the words of the command line."""
    with st.popover("Set any value", width="stretch"):
        say("Any path of the scenario, one a line, as --set takes it: workload.calls_per_day=123456")
        key = f"typed {st.session_state.round}"
        st.text_area("PATH=VALUE", key=key, height=110, placeholder="options.tuned-api.training.epochs=2")
        st.button("Lay over", on_click=_typed, args=(key,))


def _typed(key: str) -> None:
    lines = [line.strip() for line in st.session_state[key].splitlines() if line.strip()]
    if lines:
        pairs = (line.partition("=") for line in lines)
        question.lay_from_elsewhere({path.strip(): value.strip() for path, _, value in pairs})


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
