"""How the numbers come about: the formulas with this scenario's own values, what is assumed, and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, question, shown
from dashboard.guard import guarded
from simulator import ledger_rows
from simulator.formats import day, line_name, per_call, quantity, share, usd_exact

if TYPE_CHECKING:
    from simulator.domain.findings import Comparison

FORMULAS = (
    ("Calls", "calls a day x growth x hour of the week x level of the day; every factor has mean one but growth"),
    ("Cache hits", "a call hits when its cache had a call within the time to live, times the share that really comes"),
    ("Tokens", "shared prompt + input + message overhead + output + hidden reasoning, times attempts"),
    ("Tokens in USD", "million tokens x the dated rate of the meter, length tier and service"),
    ("Tuning", "tokens x epochs x runs x rate, with the provider's minimum; again whenever it is retrained"),
    ("People", "hours x wage: making the data set, building, upkeep a month"),
    ("Break-even", "the value of a dial at which two totals are equal; every one is found, roots and jumps"),
    ("Payback", "the day from which the cumulative cash of the larger outlay stays at or below the other's"),
)
LIMITS = (
    "Hosted options only in this version: serving a model on a GPU of one's own is to come.",
    "Quality is what the scenario says (success_rate, failure_usd), never guessed.",
    "Latency of hosted options is unknown unless typed, and no option wins on latency.",
    "Automatic caches are best effort: measure your own hit share before you rely on one.",
    "Prices age: each carries the day on which it was seen and who says so.",
)


@st.fragment
def page() -> None:
    """Formulas, lines, assumptions, prices, limits."""
    shown.title("About the numbers", "Where does each figure come from, and what does it rest on?")
    with guarded():
        asked = question.asked()
        question.keep_in_address(asked)
        comparison = answer.comparison_of(asked)
        shown.say(f"{comparison.question} Scenario {comparison.digest}, prices {comparison.prices_digest}, "
                  f"{comparison.engine} engine, version {comparison.version}.")
        tabs = ["Formulas, with your values", "Assumptions", "Prices used", "Limits"]
        formulas, assumed, paid, limits = st.tabs(tabs)
        with formulas:
            _formulas(comparison)
        with assumed:
            shown.table(
                {"path": "", "value": "n", "where from": "", "set by you": ""},
                [(item.path, item.value if isinstance(item.value, str) else quantity(item.value), item.source,
                  "yes" if item.set_by_user else "default") for item in comparison.assumptions],
            )
        with paid:
            shown.table(
                {"price": "", "in force from": "", "how sure": "", "seen": "n", "who says so": ""},
                [(price.id, day(price.effective), price.confidence, f"{price.age_days} days before the start",
                  f"{price.title} {price.href or ''}") for price in comparison.prices_used],
            )
        with limits:
            shown.points("What this program does not know", LIMITS)


def _formulas(comparison: Comparison) -> None:
    shown.table({"what": "", "how": ""}, FORMULAS)
    name = st.selectbox("With the values of", list(comparison.options), key=f"lines of {st.session_state.round}")
    option = comparison.options[name]
    shown.say(
        f"{quantity(float(option.result.calls[0]))} calls over {comparison.horizon_days} days; "
        f"{share(float(option.result.cache_hit_rate[0]))} of those that could find their prompt in a cache do."
    )
    shown.table(
        {"line": "", "quantity": "n", "unit": "", "x USD a unit": "n", "= USD": "n", "price": ""},
        [(line_name(row["line"]), quantity(row["quantity"]), row["unit"], per_call(row["usd_per_unit"]),
          usd_exact(row["usd"]), row["price_version"]) for row in ledger_rows(comparison) if row["option"] == name],
    )
