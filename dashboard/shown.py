"""Words on a page: built from escaped text, as names and sentences may come from a file somebody sent."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import question
from simulator import charts

if TYPE_CHECKING:
    from simulator.domain.findings import Comparison, Headline

STYLE = """<style>
.block-container, .stMainBlockContainer {padding-top: 3.6rem; padding-bottom: 3rem; max-width: 1500px}
.tp-verdict, .tp-card, .tp-list, .tp-note, .tp-head, .tp-question {overflow-wrap: anywhere}
.tp-verdict {border-left: 4px solid #0072B2; padding: .55rem .9rem; margin: 0; min-height: 6.6rem;
  background: rgba(0,114,178,.09); border-radius: 0 .4rem .4rem 0}
.tp-verdict p {font-size: 1.12rem; line-height: 1.42; margin: 0; font-weight: 500}
@media (max-width: 1100px) {.tp-verdict {min-height: 11.4rem}}
.tp-verdict p + p {font-size: .95rem; font-weight: 400; margin-top: .3rem}
.tp-question {margin: 0 0 .45rem; font-size: .92rem; opacity: .78; min-height: 1.4rem}
.tp-cards {display: grid; grid-template-columns: repeat(auto-fit, minmax(10.4rem, 1fr)); gap: .7rem;
  margin: .2rem 0}
.tp-card {border: 1px solid rgba(128,128,128,.35); display: grid; grid-row: span 4; grid-template-rows: subgrid;
  row-gap: 0; border-top: 4px solid var(--own); border-radius: .45rem; padding: .5rem .75rem .55rem}
.tp-card.chosen {background: rgba(128,128,128,.1)}
.tp-card h3 {font-size: .92rem; margin: 0; padding: 0; font-weight: 600; overflow-wrap: anywhere}
.tp-card h3 span {font-weight: 500; font-size: .74rem; border: 1px solid currentColor; border-radius: 1rem;
  padding: 0 .45rem; margin-left: .3rem; white-space: nowrap}
.tp-card .month {font-size: 1.62rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums}
.tp-card .month small {font-size: .82rem; font-weight: 400; opacity: .75}
.tp-card .against {font-size: .84rem; margin: 0 0 .3rem}
.tp-card .less::before {content: "\\25BC  "; color: #1a9c75}
.tp-card .more::before {content: "\\25B2  "; color: #d55e00}
.tp-card dl {display: grid; align-content: start; grid-template-columns: 1fr auto; gap: 0 .5rem;
  margin: 0; padding: 0; font-size: .8rem; line-height: 1.6; min-height: calc(1.6em * var(--lines))}
@media (max-width: 1100px) {.tp-card dl {min-height: calc(1.6em * var(--narrow))}}
.tp-card dt {opacity: .75; white-space: nowrap; margin: 0; padding: 0; font-weight: 400}
.tp-card dd {margin: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal}
.tp-card h3 .no {color: #d55e00}
.tp-wrong {border-left: 4px solid #d55e00; background: rgba(213,94,0,.12); padding: .6rem .9rem; margin: 0;
  border-radius: 0 .4rem .4rem 0; overflow-wrap: anywhere}
.tp-list {margin: 0; padding-left: 1.15rem; font-size: .92rem} .tp-list li {margin: .12rem 0}
.tp-head {font-size: .98rem; margin: .5rem 0 .15rem; padding: 0; font-weight: 600}
.tp-table {border-collapse: collapse; width: 100%; font-size: .86rem}
.tp-table th, .tp-table td {text-align: left; padding: .22rem .6rem .22rem 0; vertical-align: top;
  border-bottom: 1px solid rgba(128,128,128,.25); overflow-wrap: anywhere}
.tp-table td.n, .tp-table th.n {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap}
.tp-scroll {overflow-x: auto}
.tp-table td.w, .tp-table th {white-space: nowrap}
.tp-title {font-size: 1.45rem; margin: 0; padding: 0}
.tp-note {font-size: .86rem; opacity: .8; margin: 0}
@media (min-width: 641px) {
  [data-testid=stColumn]:has(.st-key-dials) {position: sticky; top: 3.6rem; align-self: flex-start}
  .st-key-dials {max-height: calc(100vh - 13rem); padding-bottom: 2rem;
    mask-image: linear-gradient(#000 calc(100% - 2rem), transparent)}
}
.st-key-said {min-height: 25rem}
.st-key-said, .st-key-saving {position: relative}
:is(.st-key-said, .st-key-saving)
  [data-testid=stElementContainer]:has([data-testid=stSpinner], [data-testid=stSkeleton]) {
  position: absolute; top: 0; right: 0; width: auto; z-index: 2; padding: 0 .5rem; border-radius: .4rem;
  background: var(--st-background-color, Canvas)}
[data-testid=stTopNavLink]:focus-visible {outline: 2px solid; outline-offset: 1px}
.tp-backstage {position: fixed; top: 0; left: 0; width: 0; height: 0; overflow: hidden; visibility: hidden}
[class*=st-key-beside] {min-height: 12rem}
@media (max-width: 1100px) {[class*=st-key-beside] {min-height: 18rem}}
.st-key-difference {min-height: 2.8rem}
.st-key-plotly, .st-key-ahead, .st-key-door, .st-key-keyboard {position: absolute; height: 0; overflow: hidden}
</style>"""


HOST = r"https?://([^/?#]+)"
"""What of an address a table shows."""
WORKING = "Working it out; where machines serve calls, a new question takes a few seconds."


def working(words: str = WORKING) -> AbstractContextManager[None]:
    """A sentence that turns up where an answer is not at hand within a moment."""
    return st.spinner(words, show_time=True)


def say(words: str) -> None:
    """A small sentence."""
    st.html(f'<p class="tp-note">{html.escape(words)}</p>')


def title(name: str, question: str) -> None:
    """What a page is called, and the question it answers."""
    st.html(f'<h2 class="tp-title">{html.escape(name)}</h2><p class="tp-note">{html.escape(question)}</p>')


def verdict(comparison: Comparison) -> None:
    """The question and the sentence that answers it."""
    found = comparison.verdict
    due = "" if comparison.diagnosed is None else comparison.diagnosed.not_yet
    said = [words for words in (found.with_quality, found.money, due) if words]
    paragraphs = "".join(f"<p>{html.escape(words)}</p>" for words in said)
    st.html(
        f'<p class="tp-question">{html.escape(comparison.question or comparison.scenario_name)}</p>'
        f'<div class="tp-verdict" role="status" aria-live="polite">{paragraphs}</div>'
    )


def cards(found: Iterable[Headline]) -> None:
    """A card for each option: its month, the difference, and what stands behind it."""
    st.html(f'<div class="tp-cards">{"".join(map(_card, found))}</div>')


def _card(one: Headline) -> str:
    mark = "<span>choice</span>" if one.chosen else ""
    if one.why_not:  # in one word, as a sentence would push the charts down; it stands in full under Careful
        mark = f'<span class="no" title="{html.escape(one.why_not)}">no choice</span>'
    way = "" if one.saves is None else "less" if one.saves else "more"
    lines = len(one.facts) + 1  # a payback wraps, and in a narrow window an interval and a share of draws too
    lines += one.facts["one more call"].startswith("saves")  # which wraps, with its reason
    night = charts.NIGHT.get(one.colour, one.colour)
    facts = "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(words)}</dd>" for term, words in one.facts.items())
    return (
        f'<div class="tp-card{" chosen" if one.chosen else ""}" style="--own: light-dark({one.colour}, {night}); '
        f'--lines: {lines}; --narrow: {lines + 2 * ("cheapest in" in one.facts)}">'
        f"<h3>{html.escape(one.option)}{mark}</h3>"
        f'<div class="month">{html.escape(one.monthly)} <small>a month</small></div>'
        f'<p class="against {way}">{html.escape(one.against)}</p><dl>{facts}</dl></div>'
    )


def points(title: str, sentences: Sequence[str]) -> None:
    """Sentences under a heading; nothing where there are none."""
    if sentences:
        listed = "".join(f"<li>{html.escape(words)}</li>" for words in sentences)
        st.html(f'<h4 class="tp-head">{html.escape(title)}</h4><ul class="tp-list">{listed}</ul>')


def table(columns: Mapping[str, str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under heads, `columns` from head to `n` for numbers, `w` for words on one line, or nothing."""
    head = "".join(f'<th scope="col" class="{kind}">{html.escape(name)}</th>' for name, kind in columns.items())
    kinds = tuple(columns.values())
    body = "".join(
        "<tr>" + "".join(
            f'<td class="{kind}">{html.escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True)
        ) + "</tr>"
        for row in rows
    )
    inner = f'<table class="tp-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    st.html(f'<div class="tp-scroll">{inner}</div>')


def fields(asked: Mapping[str, tuple[str, float | None]]) -> None:
    """Numbers to type, three in a row: what stands before each and what stands in it, by its key."""
    for place, (key, (words, value)) in enumerate(asked.items()):
        if place % 3 == 0:
            columns = st.columns(3)
        columns[place % 3].number_input(words, min_value=0.0, value=value, format="%.6g", key=key)


def send(name: str, settings: Mapping[str, str], title: str = "As settings of the scenario") -> None:
    """What a file says of the scenario, and the button that lays it over."""
    points(title, [f"{path} = {value}" for path, value in settings.items()])
    laid = st.session_state.laid
    st.button("Send into the scenario", key=f"send {name}", on_click=question.lay_from_elsewhere, args=(settings,))
    if settings and all(laid.get(path) == value for path, value in settings.items()):
        say("The scenario now says so; see Decide.")
