"""What was chosen on a page outlives the page and stands in its link."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards import HOSTED, words

ALONG = "options.tuned.training.examples"
BOTH = """
import streamlit as st
from dashboard import breakeven, question, simulate
question.begin()
{"Break-even": breakeven.page, "Simulate": simulate.page}[st.radio("page", ["Break-even", "Simulate"], key="page")]()
"""


def opened(*view: str, **asked: object) -> AppTest:
    page = AppTest.from_string(BOTH, default_timeout=60)
    for key, value in {"scenario": HOSTED, "view": list(view), **asked}.items():
        page.query_params[key] = value
    return page.run()


def views(page: AppTest) -> list[str]:
    """What the address says of the pages."""
    said = page.query_params.get("view", [])
    return [said] if isinstance(said, str) else list(said)


def turned(page: AppTest, name: str) -> None:
    page.radio(key="page").set_value(name).run()
    assert not page.exception


def test_what_was_chosen_is_there_on_the_way_back_and_behind_a_link() -> None:
    page = opened()
    page.selectbox(key="first").set_value("gpt-4o").run()
    page.selectbox(key="along").set_value(ALONG).run()
    page.number_input(key=f"from {ALONG}").set_value(70.0).run()
    turned(page, "Simulate")
    page.number_input(key="runs").set_value(50).run()
    page.number_input(key="seed").set_value(2**53 - 1).run()
    again = opened(*views(page))
    for one in (page, again):
        turned(one, "Break-even")
        assert (one.selectbox(key="first").value, one.selectbox(key="along").value) == ("gpt-4o", ALONG)
        assert one.number_input(key=f"from {ALONG}").value == 70.0
        turned(one, "Simulate")
        assert (one.number_input(key="runs").value, one.number_input(key="seed").value) == (50, 2**53 - 1)
    assert views(again) == views(page)


def test_a_part_of_the_page_is_in_the_link_too() -> None:
    page = opened()
    page.segmented_control(key="part").set_value("What would flip it").run()
    again = opened(*views(page))
    assert again.segmented_control(key="part").value == "What would flip it"


@pytest.mark.parametrize(("page", "asked", "said"), [
    ("Break-even", "along=wage", '"Along" cannot be "wage" here; workload.calls_per_day is shown.'),
    ("Break-even", "part=<b>", '"What to look at" cannot be "<b>" here; Crossings is shown.'),
    ("Break-even", "from workload.calls_per_day=nan", '"From" cannot be "nan" here; 10.0 is shown.'),
    ("Break-even", "from workload.calls_per_day=inf", '"From" cannot be "inf" here; 10.0 is shown.'),
    ("Simulate", "runs=1e9", '"Runs" cannot be "1e9" here; '),
    ("Simulate", "seed=-1", '"Seed" cannot be "-1" here; 0 is shown.'),
])
def test_a_choice_that_is_not_there_is_told_and_the_usual_one_shown(page: str, asked: str, said: str) -> None:
    found = opened(asked)
    if page == "Simulate":
        turned(found, page)
    assert not found.exception
    assert said in words(found)
    assert not views(found.run())
