"""`tunepoint prices`: what things cost, since when, who says so, what changed and what is about to."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from pricing.errors import InputError
from simulator.cli.flags import Csv, Json, On, day_or_today, one_form, typed_day
from simulator.cli.output import emit_csv, emit_json

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, help="The price book: dated and sourced.")

Id = Annotated[str, typer.Argument(metavar="ID", help="provider/model, as in openai/gpt-4o-mini.")]


@app.command("list")
def list_prices(
    provider: Annotated[str | None, typer.Option("--provider", help="Only this provider's prices.")] = None,
    on: On = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Every price in force on a day; what has retired by then is counted."""
    from pricing.nearest import nearest
    from simulator import shipped_book
    from simulator.cli import prices_plain, prices_shown

    one_form(json, csv)
    day, book = day_or_today(on), shipped_book()
    providers = sorted({table.provider for table in book.prices.values()})
    if provider is not None and provider not in providers:
        hint = nearest(provider, providers) or f"; there are {', '.join(providers)}"
        raise InputError(f'--provider: no prices of "{provider}"{hint}')
    standing = [price for price in book.on(day) if provider in (None, book.table(price).provider)]
    sold = book.sold_on(day)
    rows = [prices_plain.listed_row(book.table(price), sold[price], day) for price in standing if price in sold]
    if json:
        emit_json(rows)
    elif csv:
        emit_csv(rows, prices_plain.LISTED)
    else:
        prices_shown.show_list(rows, len(standing) - len(rows), day)


@app.command("show")
def show_price(id: Id, on: On = None, json: Json = False) -> None:
    """One price on a day: rates, billing rules, lifecycle, and who says so."""
    from simulator import shipped_book
    from simulator.cli import prices_plain, prices_shown

    day = day_or_today(on)
    found = prices_plain.price_json(shipped_book().table(id), day)
    if json:
        emit_json(found)
    else:
        prices_shown.show_price(found, day)


@app.command("history")
def price_history(id: Id, json: Json = False, csv: Csv = False) -> None:
    """Every version of a price and what it changed; corrections are told from price changes."""
    from pricing.changes import history
    from simulator import shipped_book
    from simulator.cli import prices_plain, prices_shown

    one_form(json, csv)
    steps = history(shipped_book().table(id))
    if json:
        emit_json({"id": id, "versions": [prices_plain.step_json(step) for step in steps]})
    elif csv:
        emit_csv(prices_plain.step_rows(steps), prices_plain.HISTORY)
    else:
        prices_shown.show_history(id, steps)


@app.command("diff")
def price_diff(
    first: Annotated[str, typer.Argument(metavar="D1", help="The earlier day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Argument(metavar="D2", help="The later day, YYYY-MM-DD.")],
    json: Json = False,
    csv: Csv = False,
) -> None:
    """What changed between two days: prices that came, changed or retired."""
    from pricing.changes import between
    from simulator import shipped_book
    from simulator.cli import prices_plain, prices_shown

    one_form(json, csv)
    days = typed_day(first, "D1"), typed_day(last, "D2")
    found = between(shipped_book(), *days)
    if json:
        emit_json({"from": days[0], "to": days[1], **prices_plain.between_json(found)})
    elif csv:
        emit_csv(prices_plain.between_rows(found), prices_plain.BETWEEN)
    else:
        prices_shown.show_between(found, *days)


@app.command("check")
def check_prices(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DAYS", help="The age above which a price is stale, as in 90d.")
    ] = "90d",
    on: On = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """What to look after: stale and unverified prices, announced changes, and what is known to end."""
    from pricing.changes import watch
    from simulator import shipped_book
    from simulator.cli import prices_plain, prices_shown

    one_form(json, csv)
    day, age = day_or_today(on), age_days(older_than)
    found = watch(shipped_book(), day, timedelta(days=age))
    if json:
        emit_json({"on": day, "older_than_days": age, **prices_plain.watch_json(found, day)})
    elif csv:
        emit_csv(prices_plain.watch_rows(found), prices_plain.WATCH)
    else:
        prices_shown.show_watch(found, day, age)


def age_days(text: str) -> int:
    """Days from `90d` or `90`.

    >>> age_days("90d"), age_days("0")
    (90, 0)
    """
    if not re.fullmatch(r"[0-9]{1,6}d?", text):
        raise InputError(f'--older-than: "{text}" is not a number of days; write it as in 90d')
    return int(text.rstrip("d"))
