"""Binds what a scenario names to what it means: price ids to dated tables, a prompt file to its tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pricing.book import PriceBook
from pricing.errors import InputError, NotInForce
from pricing.load import inline_prices, shipped_book
from pricing.nearest import nearest
from pricing.table import PriceTable, TokenRule
from pricing.yaml12 import Document, Place
from simulator.domain.options import HostedFineTuned, HostedOption, ServingOption


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A price id and where the scenario names it."""

    price: str
    place: Place


def bound_prices(
    options: Mapping[str, ServingOption], inline: Any, document: Document, start: date, announced: bool
) -> dict[str, PriceTable]:
    """Every price the options name, and of tuned ones the base, by id: typed in the scenario, else shipped.

    Args:
        options: by name.
        inline: the scenario's own `prices:`, or None.
        document: the scenario file.
        start: the first day; every price but a successor's has a version in force and on sale by then.
        announced: whether announced price changes apply.

    Raises:
        InputError: no such price (the nearest id is named), or its model retired before the start.
        NotInForce: no price yet on `start`.
    """
    typed = _typed_prices(inline, document)
    named = [at for name, option in options.items() for at in _named(name, option)]
    successors = [at for name, option in options.items() for at in _successor(name, option)]
    missing = {at.price for at in (*named, *successors)} - set(typed)
    book = PriceBook(prices={**shipped_book(_providers(missing)).prices, **typed})
    bound = {at.price: _found(at, book, document) for at in (*named, *successors)}
    for at in named:
        _check_sold(at, bound[at.price], document, start)
    for at in successors:
        option = options[str(at.place[1])]
        assert isinstance(option, HostedOption)
        ends = bound[option.price].on(start).lifecycle.retires_on
        if ends is not None:
            _check_follows(at, bound[at.price], document, start, ends, announced)
    bases = {table.base_id for table in bound.values() if table.base_id in book.prices}
    return bound | {base: book.prices[base] for base in bases if base is not None}


def check_customer(providers: Sequence[str], prices: Mapping[str, PriceTable], document: Document) -> None:
    """Refuse a provider that neither a price of the scenario nor the shipped book has.

    Args:
        providers: those whose customer the user already is.
        prices: the bound prices by id.
        document: the scenario file.

    Raises:
        InputError: no such provider; the nearest is named.
    """
    bound = _providers(set(prices))
    if set(providers) <= bound:
        return
    known = bound | _providers(set(shipped_book().prices))
    for index, provider in enumerate(providers):
        if provider not in known:
            hint = nearest(provider.lower(), sorted(known)) or f"; there are {', '.join(sorted(known))}"
            where = document.where(("existing_customer", index))
            raise InputError(f'{where}: "{provider}" is no provider of any price{hint}')


def counted_prompt(
    option: ServingOption,
    place: Place,
    prices: Mapping[str, PriceTable],
    document: Document,
    start: date,
    folder: Path | None,
) -> ServingOption:
    """The option with `prefix_tokens` counted from its `prompt` file by the rule of its price on `start`.

    An open model's own vocabulary is not shipped: its prompt is counted with a stand-in and marked so.
    """
    if option.prompt is None:
        return option
    if folder is None:
        raise InputError(
            f"{document.where((*place, 'prompt'))}: {option.prompt}: a scenario that was sent cannot name a file; "
            "count it apart and write prefix_tokens"
        )
    from simulator.intake.tokens import count, read_prompt

    rule = prices[option.price].on(start).rules.tokens if isinstance(option, HostedOption) else TokenRule()
    try:
        counted = count(read_prompt(option.prompt, folder), rule.encoding, rule.factor)
    except InputError as error:
        raise InputError(f"{document.where((*place, 'prompt'))}: {error}") from None
    exact = counted.exact and rule.exact and isinstance(option, HostedOption)
    return dataclasses.replace(option, prefix_tokens=float(counted.tokens), prompt_exact=exact)


def _named(name: str, option: ServingOption) -> Iterator[_Named]:
    here: Place = ("options", name)
    if not isinstance(option, HostedOption):
        return
    yield _Named(price=option.price, place=(*here, "price"))
    training = option.training if isinstance(option, HostedFineTuned) else None
    if training and training.price is not None:
        yield _Named(price=training.price, place=(*here, "training", "price"))
    if training and training.grader is not None:
        yield _Named(price=training.grader.price, place=(*here, "training", "grader", "price"))


def _successor(name: str, option: ServingOption) -> Iterator[_Named]:
    if isinstance(option, HostedOption) and option.successor != "stop":
        yield _Named(price=option.successor, place=("options", name, "successor"))


def _providers(ids: set[str]) -> set[str]:
    return {price.partition("/")[0] for price in ids}


def _typed_prices(inline: Any, document: Document) -> dict[str, PriceTable]:
    if inline is None:
        return {}
    entries = inline.values() if isinstance(inline, dict) else ()
    models = {str(entry["like"]) for entry in entries if isinstance(entry, dict) and "like" in entry}
    book = shipped_book(_providers(models))
    if isinstance(inline, dict) and not models <= {*book.prices, *inline}:
        book = shipped_book()                                   # only to name the nearest id
    return inline_prices(inline, document, ("prices",), book)


def _found(at: _Named, book: PriceBook, document: Document) -> PriceTable:
    if at.price in book.prices:
        return book.prices[at.price]
    ids = [*shipped_book().prices, *book.prices]
    raise InputError(f'{document.where(at.place)}: no price table "{at.price}"{nearest(at.price, ids)}')


def _check_sold(at: _Named, table: PriceTable, document: Document, start: date) -> None:
    try:
        lifecycle = table.on(start).lifecycle
    except NotInForce as error:
        raise NotInForce(f"{document.where(at.place)}: {error}") from None
    ends = lifecycle.retires_on
    if ends is not None and ends <= start:
        remedy = f'its successor "{lifecycle.successor}"' if lifecycle.successor else "a model that is still served"
        raise InputError(
            f'{document.where(at.place)}: "{at.price}" retired on {ends}, not after the start on {start}; name {remedy}'
        )


def _check_follows(
    at: _Named, table: PriceTable, document: Document, start: date, day: date, announced: bool
) -> None:
    """A successor must be on sale on the `day` it takes over."""
    try:
        ends = table.held_from(start, day, announced).lifecycle.retires_on
    except NotInForce as error:
        raise NotInForce(f"{document.where(at.place)}: {error}, and takes over on {day}") from None
    if ends is not None and ends <= day:
        raise InputError(
            f'{document.where(at.place)}: "{at.price}" retires on {ends} and cannot take over on {day}; '
            "name a model that is served longer"
        )
