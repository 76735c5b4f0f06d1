"""`tunepoint dataset`: a file of training examples checked by line, counted, and priced where it can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simulator.cli.flags import Csv, Json, On, day_or_today, one_form
from simulator.cli.output import emit_csv, emit_json, points, say, table

PLAIN = "o200k_base"
SHOWN = 15
OFFER_COLUMNS = ("price", "method", "epochs", "tokens", "gpu_hours", "usd", "confidence", "note")


def dataset(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="One training example a line.")],
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Count as its tokenizer does.")] = None,
    on: On = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Check a training set by line, count its tokens, and price a run at all who still sell one and on rented GPUs."""
    from simulator import (
        count_tokens,
        describe_dataset,
        read_dataset,
        rented_training,
        shipped_book,
        shipped_hardware,
        training_offers,
    )

    one_form(json, csv)
    book = shipped_book()
    encoding = PLAIN if model is None else book.table(model).versions[-1].rules.tokens.encoding or PLAIN
    check = read_dataset(file, lambda text: count_tokens(text, encoding).tokens)
    day, examples = day_or_today(on), len(check.lengths)
    sold = training_offers(book.prices, day, examples, {None: check.tokens})
    rented = rented_training(shipped_hardware(), day, examples, check.tokens)
    offers = sorted([*sold, *rented], key=lambda offer: offer.usd)
    told = describe_dataset(check)
    found: dict[str, Any] = {
        "records": check.records,
        "format": check.shape,
        "problems": [{"line": line, "what": what} for line, what in check.problems],
        "problem_count": check.problem_count,
        "notes": list(check.notes),
        "encoding": encoding,
        "tokens": told["tokens"],
        "without": dict(check.without),
        "split": told["split"],
        "training": [{column: getattr(offer, column) for column in OFFER_COLUMNS} for offer in offers],
    }
    if json:
        emit_json(found)
    elif csv:
        emit_csv(found["training"], OFFER_COLUMNS)
    else:
        _show(found, str(file))


def _show(found: dict[str, Any], source: str) -> None:
    from simulator.formats import many, usd

    tokens = found["tokens"]
    records, taken = many(found["records"], "record"), many(tokens["total"], "token")
    say(f"{source}: {records} ({found['format']}), {taken} ({found['encoding']})")
    say(f"an example: mean {tokens['mean']:,.0f}, p50 {tokens['p50']:,.0f}, p95 {tokens['p95']:,.0f}, "
        f"max {tokens['max']:,}; answers hold {tokens['answers']:,}, tool definitions another {tokens['tools']:,}")
    say(f"split: {found['split']['train']:,} to train on, {found['split']['validation']:,} to measure on")
    if found["problems"]:
        more = found["problem_count"] - min(SHOWN, len(found["problems"]))
        lines = [f"line {one['line']}: {one['what']}" for one in found["problems"][:SHOWN]]
        say(f"{many(found['problem_count'], 'problem')}:", points([*lines, *([f"and {more:,} more"] if more else [])]))
    if found["notes"]:
        say("Good to know:", points(found["notes"]))
    sold = [one for one in found["training"] if one["gpu_hours"] is None and one["confidence"] != "unverified"]
    shown = [one for one in found["training"] if one["gpu_hours"] is not None or one in sold[:SHOWN]]
    hours = ["" if one["gpu_hours"] is None else f"{one['gpu_hours']:.2f}" for one in shown]
    rows = [
        (one["price"], one["method"], f"{one['epochs']:g}", taken, usd(one["usd"]), one["note"])
        for one, taken in zip(shown, hours, strict=True)
    ]
    heads = {
        "training at": "left", "method": "fixed", "epochs": "right", "GPU-h": "right", "a run": "right", "": "left",
    }
    say(table(heads, rows))
    hidden = len(found["training"]) - len(rows)
    if hidden:
        say(f"{hidden} dearer or unverified prices more with --json")
