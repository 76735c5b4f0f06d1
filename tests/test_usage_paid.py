"""What was paid is summed as far as a log says it, in dollars, and what it does not say is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from command_line import is_one_sentence, tunepoint

from pricing.load import shipped_book
from simulator.intake.usage import read_usage, summed
from simulator.studies.usage_bill import checked_bill

COLUMNS = {name: name for name in ("time", "model", "input", "output")} | {"usd": "cost"}
LOG = """time,model,input,output,cost
2026-11-02,gpt-4o-mini,1000,100,0.25
2026-11-02,gpt-4o-mini,1000,100,
2026-11-03,gpt-4o-mini,1000,100,0.5
2026-11-03,gpt-4o,1000,100,
"""


def flags(columns: dict[str, str]) -> list[str]:
    return [f"--column={name}={column}" for name, column in columns.items()]


def test_a_row_without_a_cost_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG, "utf-8")
    found = summed(read_usage(path, COLUMNS))
    assert (found.usd, found.unpaid_rows, found.rows) == (0.75, 2, 4)
    mini, big = checked_bill(found.sold, shipped_book().prices, date(2026, 11, 3), paid=True)
    assert (mini.paid_usd, big.paid_usd) == (0.75, None)
    assert mini.note.endswith("; 1 of 3 rows have no cost")
    answer = tunepoint("usage", path, *flags(COLUMNS))
    assert "Paid: $0.75, and 2 of 4 rows have no cost" in answer.words
    told = tunepoint("usage", path, *flags(COLUMNS), "--json").json
    assert (told["paid_usd"], told["unpaid_rows"]) == (0.75, 2)


def test_a_log_that_says_nothing_of_costs_has_none(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace(",0.25", ",").replace(",0.5", ","), "utf-8")
    found = summed(read_usage(path, COLUMNS))
    assert (found.usd, found.unpaid_rows) == (None, 4)
    assert "no cost" not in tunepoint("usage", path, *flags(COLUMNS)).words


@pytest.mark.parametrize(("column", "currency"), [
    ("cost_eur", "EUR"), ("costGBP", "GBP"), ("Kosten (\u20ac)", "EUR"), ("chf", "CHF"), ("price in yen", "JPY"),
])
def test_a_paid_column_in_another_currency_is_refused(tmp_path: Path, column: str, currency: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("cost", column), "utf-8")
    answer = tunepoint("usage", path, *flags(COLUMNS | {"usd": column}))
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert f"column {column} is in {currency}; prices here are in USD" in answer.err


@pytest.mark.parametrize("column", [
    "cost", "cost_usd", "costUSD", "spend ($)", "entry_cost", "Europe cost", "usd from eur",
])
def test_dollars_are_taken_under_any_name(tmp_path: Path, column: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("cost", column), "utf-8")
    assert summed(read_usage(path, COLUMNS | {"usd": column})).usd == 0.75


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_csv_without_commas_is_told_as_such(tmp_path: Path, mark: str, name: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace(",", mark), "utf-8")
    for mapped in (flags(COLUMNS), []):
        answer = tunepoint("usage", path, *mapped)
        assert (answer.code, is_one_sentence(answer.err)) == (2, True)
        assert f"line 1: has {name} between its columns; save it with commas" in answer.err
