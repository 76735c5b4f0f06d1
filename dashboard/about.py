"""How the numbers come about: the formulas with this scenario's own values, what is assumed, and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import answer, formulas, question, shown, work
from dashboard.guard import guarded
from pricing.table import ALWAYS
from simulator import ledger_rows
from simulator.formats import day, days, line_name, per_call, quantity, usd_exact

if TYPE_CHECKING:
    from simulator import Scenario
    from simulator.domain.findings import Comparison, PriceUsed

LIMITS = (
    "A replica is a model of its steps: measured where somebody measured, derived and marked estimated elsewhere.",
    "Machines are ready when the scenario says so; that a provider has none left is known only as outages it names.",
    "Quality is what the scenario says (success_rate, failure_usd), never guessed.",
    "Latency of hosted options is unknown unless typed; a fleet that misses its targets is no choice, and no option "
    "wins on latency.",
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
        with shown.working():
            comparison = answer.comparison_of(asked)
        shown.say(f"{comparison.question} Scenario {comparison.digest}, prices {comparison.prices_digest}, "
                  f"{comparison.engine} engine, version {comparison.version}.")
        tabs = ["Formulas, with your values", "Assumptions", "Prices used", "Limits"]
        filled, assumed, paid, limits = st.tabs(tabs)
        with filled:
            _formulas(work.scenario_of(asked), comparison)
        with assumed:
            shown.table(
                {"path": "w", "value": "n", "where from": "", "set by you": "w"},
                [(item.path, item.value if isinstance(item.value, str) else quantity(item.value), item.source,
                  "yes" if item.set_by_user else "default") for item in comparison.assumptions],
            )
        with paid:
            shown.table(
                {"price": "w", "in force from": "w", "how sure": "w", "seen": "n", "who says so": ""},
                map(_used, comparison.prices_used),
            )
        with limits:
            shown.points("What this program does not know", LIMITS)


def _used(price: PriceUsed) -> tuple[str, ...]:
    """A row; what the scenario types has no day of its own."""
    typed = price.effective == ALWAYS
    since, seen = day(price.effective), f"{days(price.age_days)} before the start"
    return (price.id, "as typed" if typed else since, price.confidence, "as typed" if typed else seen,
            f"{price.title} {price.href or ''}")


def _formulas(scenario: Scenario, comparison: Comparison) -> None:
    names = list(comparison.options)
    name = st.selectbox("With the values of", names, names.index(comparison.verdict.choice),
                        key=f"lines of {st.session_state.round}")
    values = formulas.filled(scenario, comparison, name)
    shown.table({"what": "w", "how": "", f"for {name}": ""},
                [(what, how, values[what]) for what, how in formulas.FORMULAS.items()])
    st.html('<h4 class="tp-head">Line by line</h4>')
    shown.table(
        {"line": "", "quantity": "n", "unit": "", "x USD a unit": "n", "= USD": "n", "price": ""},
        [(line_name(row["line"]), quantity(row["quantity"]), row["unit"], per_call(abs(row["usd_per_unit"])),
          usd_exact(row["usd"]), row["price_version"]) for row in ledger_rows(comparison)
         if row["option"] == name and row["usd"]],
    )
