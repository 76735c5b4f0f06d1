"""How prices and their changes read on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from pricing.changes import Between, Difference, Step, Watch
from simulator.cli.output import points, say, table
from simulator.formats import day as written
from simulator.formats import days, rate, retired_too

METERS = {"input": "input", "cached_input": "cached", "output": "output", "cache_write": "write"}
LEVELS = ("batch", "flex", "priority")
ABSENT = "-"

SENTENCES = {
    "no_new_customers_from": "takes no new customers from",
    "no_new_jobs_from": "starts no new training job from",
    "retires_on": "retires on",
    "available_from": "can be bought from",
}
KINDS = {
    "first": "first version",
    "change": "price or rule changed",
    "correction": "correction: rates or rules as they were all along",
    "notice": "news: rates and rules as before",
}


def show_list(rows: Sequence[Mapping[str, Any]], retired: int, day: date) -> None:
    """The list of prices on a day, and how many more have `retired` by then."""
    shown = [
        (
            row["id"],
            _rate(row["input"]),
            _rate(row["cached_input"]),
            _rate(row["output"]),
            str(row["effective"]),
            _said(row, day),
        )
        for row in rows
    ]
    heads = {"price": "left", "input": "right", "cached": "right", "output": "right", "since": "fixed", "said": "fixed"}
    say(
        f"{len(rows)} prices in force on {written(day)}, USD per million tokens{retired_too(retired)}."
        " `tunepoint prices show ID` tells the rest: service levels, tiers, training, hosting, rules, sources.",
        table(heads, shown),
    )


def show_price(price: Mapping[str, Any], day: date) -> None:
    """One price with its rates, rules, lifecycle and source."""
    found, source = price["rates"], price["source"]
    recorded = f", recorded on {written(price['recorded'])}" if price["recorded"] != price["effective"] else ""
    lines = [f"{price['version']}, in force on {written(day)}{recorded}"]
    by_token = list(_by_token(found))
    meters = list(dict.fromkeys(meter for _, rates in by_token for meter in _cells(rates)))
    say(*lines)
    if meters:
        heads = {"USD per million tokens": "left", **dict.fromkeys(meters, "right")}
        rows = ((name, _cells(rates)) for name, rates in by_token)
        say(table(heads, [(name, *(cells.get(meter, ABSENT) for meter in meters)) for name, cells in rows]))
    say(points([*_otherwise(found), *_rules(price["rules"]), *_lifecycle(price["lifecycle"])]))
    note = f" ({source['note']})" if source["note"] else ""
    dated = "; its first day is inferred" if source["dated"] == "inferred" else ""
    say(
        f"Source: {source['title']}{note}, {source['confidence']}, seen on {written(source['seen_on'])},"
        f" {days(price['age_days'])} ago{dated}.",
        *([source["href"]] if source["href"] else []),
    )


def show_history(price: str, steps: Sequence[Step]) -> None:
    """Every version of a price, oldest first."""
    say(f"{price}: {len(steps)} version{'s' if len(steps) > 1 else ''}, USD per million tokens where no unit is named")
    for step in steps:
        version = step.version
        announced = " (announced ahead)" if version.announced else ""
        say(
            f"\n{version.effective}  {KINDS[step.kind]}{announced}, recorded on {version.recorded}:"
            f" {version.source.title} ({version.source.confidence})"
        )
        say(points(map(_differs, step.differences), before="    "))


def show_between(found: Between, first: date, last: date) -> None:
    """What two days differ in."""
    counts = f"{len(found.added)} added, {len(found.changed)} changed, {len(found.retired)} retired"
    say(f"From {written(first)} to {written(last)}: {counts} (USD per million tokens).")
    if found.changed:
        rows = [
            (one.price if number == 0 else "", change.path, _value(change.before), _value(change.after))
            for one in found.changed
            for number, change in enumerate(one.differences)
        ]
        say(table({"changed": "left", "what": "left", "before": "right", "after": "right"}, rows))
    for title, prices in (("Added", found.added), ("Retired", found.retired)):
        if prices:
            say(f"{title}:", points(prices))


def show_watch(found: Watch, day: date, older_than: int) -> None:
    """What to look after, the most urgent first."""
    say(f"The price book on {written(day)}:")
    sections: tuple[tuple[str, list[str]], ...] = (
        (
            "Known to end",
            [
                f"{one.day}  {one.price} {SENTENCES[one.what]} this day{_then(one.what, one.successor)}"
                for one in found.ending
            ],
        ),
        (
            "Announced changes",
            [
                f"{step.version.effective}  {step.price}: {'; '.join(map(_differs, step.differences))}"
                for step in found.announced
            ],
        ),
        (f"Seen more than {older_than} days ago", [f"{price}, {days(age)} ago" for price, age in found.stale.items()]),
        ("Unverified (usable only where a scenario names them)", list(found.unverified)),
    )
    for title, lines in sections:
        say(f"\n{title}: {len(lines) or 'none'}")
        if lines:
            say(points(lines))


def _by_token(rates: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and rates of each way to be billed by the token."""
    yield "standard", rates
    for tier in rates["tiers"]:
        yield f"prompt above {tier['above']:,.0f} tokens", tier
    for window in rates["windows"]:
        yield f"{window['utc']} UTC, {window['days']}", window
    for level in LEVELS:
        if rates[level] is not None:
            yield level, rates[level]


def _cells(rates: Mapping[str, Any]) -> dict[str, str]:
    """Head and rate of every meter that is sold; cache writes by how long they live."""
    found: dict[str, str] = {}
    for meter in METERS:
        sold = rates[meter]
        by_ttl = {f" {ttl:,} s": usd for ttl, usd in sold.items()} if isinstance(sold, Mapping) else {"": sold}
        head = METERS[meter]
        found |= {f"{head}{ttl}": rate(usd) for ttl, usd in by_ttl.items() if usd is not None}
    return found


def _otherwise(rates: Mapping[str, Any]) -> Iterator[str]:
    """What is not billed by the token, a sentence each."""
    for method, sold in rates["training"].items():
        per_mtok, per_hour = sold["usd_per_mtok"], sold["usd_per_hour"]
        amount = f"{rate(per_hour)} an hour" if per_mtok is None else f"{rate(per_mtok)} per million tokens and epoch"
        yield f"training ({method}): {amount}"
    words = {
        "hosting_usd_per_hour": "hosting: {} an hour, idle or not",
        "storage_usd_per_month": "storage: {} a month",
        "storage_usd_per_gb_month": "storage: {} a GB and month",
        "cache_storage_usd_per_mtok_hour": "kept cache: {} per million tokens and hour",
    }
    for key, sentence in words.items():
        if rates[key] is not None:
            yield sentence.format(rate(rates[key]))


def _rules(rules: Mapping[str, Any]) -> Iterator[str]:
    caching, training, tokens = rules["caching"], rules["training"], rules["tokens"]
    if caching["mode"] != "off":
        ttl = ", ".join(f"{seconds} s" for seconds in caching["ttl_s"])
        writes = "writes are billed" if caching["writes_billed"] else "writes are free"
        renewed = "renewed by every read" if caching["refresh"] else "not renewed by reads"
        least = f", prompts from {caching['min_tokens']:,} tokens" if caching["min_tokens"] else ""
        steps = f" in steps of {caching['increment']:,}" if caching["increment"] > 1 else ""
        yield f"caching: {caching['mode']}{least}{steps}, kept for {ttl}, {renewed}; {writes}"
    if training["min_usd"]:
        yield f"a training job costs at least {rate(training['min_usd'])}"
    if training["min_examples"]:
        yield f"a training job needs at least {training['min_examples']} examples"
    if training["epochs"]:
        target = training["epochs"]["target"]
        yield f"epochs where none are set: {target}, fewer for large data sets, more for small ones"
    counted = tokens["encoding"] or "a tokenizer that is not public"
    factor = f", times {tokens['factor']:g}" if tokens["factor"] != 1 else ""
    exact = "" if tokens["exact"] else " (not confirmed)"
    more = f"; {tokens['per_message']} more a message, {tokens['per_request']} a request"
    yield f"tokens: {counted}{factor}{exact}{more if tokens['per_message'] or tokens['per_request'] else ''}"


def _lifecycle(lifecycle: Mapping[str, Any]) -> Iterator[str]:
    for key, sentence in SENTENCES.items():
        if lifecycle[key] is not None:
            yield f"{sentence} {written(lifecycle[key])}"
    if lifecycle["successor"]:
        yield f"its successor is {lifecycle['successor']}"
    if lifecycle["note"]:
        yield lifecycle["note"]


def _differs(one: Difference) -> str:
    if one.before is None:
        return f"{one.path}: {_value(one.after)}"
    return f"{one.path}: {_value(one.before)} -> {_value(one.after)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_value, value))
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)


def _said(row: Mapping[str, Any], day: date) -> str:
    retired = row["retires_on"]
    return "retired" if retired is not None and retired <= day else str(row["confidence"])


def _then(what: str, successor: str | None) -> str:
    return f", then {successor}" if what == "retires_on" and successor else ""


def _rate(value: float | None) -> str:
    return ABSENT if value is None else rate(value).removeprefix("$")
