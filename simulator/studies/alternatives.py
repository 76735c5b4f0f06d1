"""What else could be bought: a cheaper model with today's prompt, as a control and as a list of prices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from pricing.book import PriceBook
from pricing.errors import TunepointError
from pricing.table import PriceTable, PriceVersion
from simulator.domain.advice import Alternative, Control
from simulator.domain.findings import SimulationResult
from simulator.domain.options import Caching, HostedFineTuned, HostedOption, HostedPrompt
from simulator.domain.scenario import Scenario
from simulator.formats import share, usd
from simulator.run import run
from simulator.studies.bridge import base_price, on_sale, prompted

ENOUGH = 0.8
"""Share of the saving from which a cheaper model, prompted as today, explains it."""
SHOWN = 5
TRUSTED = ("verified", "library")


def alternatives(scenario: Scenario, book: PriceBook, today: SimulationResult) -> tuple[Alternative, ...]:
    """The five cheapest prices that could serve the baseline's calls with its prompt, as they stand at the start.

    Verified or library prices only, of models (not tuned forms) that are open to new customers and alive
    through the horizon; none for a baseline that runs on machines. Their quality is not compared.

    Args:
        scenario: the question.
        book: every price there is.
        today: the baseline's result.
    """
    option = scenario.options[scenario.baseline]
    if not isinstance(option, HostedOption):
        return ()
    months = scenario.horizon_days * 24.0 / scenario.hours_per_month
    before = float(today.total_usd[0])
    found = []
    for name, table, version in _buyable(scenario, book):
        if name == option.price:
            continue
        cost = _cost(scenario, table, _fitted(option, name, version))
        if cost is not None:
            found.append(
                Alternative(
                    price=name,
                    version=table.version_id(version),
                    confidence=version.source.confidence,
                    usd=cost,
                    usd_per_month=cost / months,
                    saving_usd=before - cost,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.usd, one.price))[:SHOWN])


def control(scenario: Scenario, results: Mapping[str, SimulationResult], tuned: str | None) -> Control | None:
    """How much of what a tuned option saves a cheaper model would save with the baseline's prompt.

    Args:
        scenario: the question.
        results: by option name.
        tuned: the option in question; None, or one that saves nothing or is not tuned, gives None.
    """
    option = scenario.options[tuned] if tuned else None
    if tuned is None or not isinstance(option, HostedFineTuned) or not results[scenario.baseline].feasible:
        return None
    before = float(results[scenario.baseline].total_usd[0])
    saving = before - float(results[tuned].total_usd[0])
    if saving <= 0:
        return None
    tried = {
        name: float(result.total_usd[0])
        for name, result in results.items()
        if name != scenario.baseline and result.feasible and isinstance(scenario.options[name], HostedPrompt)
    }
    base, _ = base_price(scenario, tuned)
    today = scenario.options[scenario.baseline]
    if isinstance(today, HostedOption) and base != option.price and on_sale(scenario, base):
        own = prompted(today, base)
        cost = _cost(scenario, scenario.prices[base], dataclasses.replace(own, price_factor=option.price_factor))
        if cost is not None:
            tried[base] = cost
    if not tried:
        return None
    by = min(tried, key=lambda name: (tried[name], name))
    saved = before - tried[by]
    said = ""
    if saved >= ENOUGH * saving:
        said = (
            f"A change of model, not a gain from tuning: today's prompt on {by} saves {usd(saved)}, "
            f"{share(saved / saving)} of what {tuned} saves ({usd(saving)})."
        )
    return Control(tuned=tuned, by=by, saving_usd=saved, share=saved / saving, sentence=said)


def _buyable(scenario: Scenario, book: PriceBook) -> Iterator[tuple[str, PriceTable, PriceVersion]]:
    for name, table in book.prices.items():
        if table.base is not None or name.endswith("-ft"):
            continue
        if min(version.effective for version in table.versions) > scenario.start:
            continue
        version = table.held_from(scenario.start, scenario.start, scenario.announced_prices)
        rates, life = version.usd_per_mtok, version.lifecycle
        opened = life.available_from is None or life.available_from <= scenario.start
        closed = life.no_new_customers_from is not None and life.no_new_customers_from <= scenario.start
        lives = life.retires_on is None or life.retires_on >= scenario.end
        sold = rates.input is not None and bool(rates.output)
        if sold and opened and lives and not closed and version.source.confidence in TRUSTED:
            yield name, table, version


def _fitted(option: HostedOption, price: str, version: PriceVersion) -> HostedPrompt:
    """Today's calls at another price: its own cache rule, batch only where it is sold."""
    moved = prompted(option, price)
    return dataclasses.replace(
        moved,
        caching=Caching(scopes=option.caching.scopes),
        cache_hit_rate=None,
        price_factor=1.0,
        service="standard",
        batch_share=option.batch_share if version.usd_per_mtok.batch is not None else 0.0,
        fallback=None,
        human=None,
    )


def _cost(scenario: Scenario, table: PriceTable, option: HostedPrompt) -> float | None:
    """What a stand-in for the baseline costs over the horizon; None where the price cannot serve it."""
    alone = dataclasses.replace(
        scenario,
        options={"alone": option},
        baseline="alone",
        prices={table.id: table},
        ranges={},
        correlations=(),
        adjust=(),
        credits=None,
    )
    try:
        result = run(alone, "alone", daily=False)
    except TunepointError:
        return None
    return float(result.total_usd[0]) if result.feasible else None
