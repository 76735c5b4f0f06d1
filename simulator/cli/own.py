"""`tunepoint usage` and `init`: a log, a prompt and a data set of one's own become a first scenario."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.errors import InputError
from simulator.cli.flags import Json, day_or_today, typed_number, written_to
from simulator.cli.output import emit, emit_json, points, say, table

if TYPE_CHECKING:
    from simulator import Usage

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=COLUMN", help="For a CSV of one's own: time=..., input=..., output=..."),
]
TODAY = "openai/gpt-5.4-mini"
ASSUMED = {"calls_per_day": 10_000.0, "prefix_tokens": 1500.0, "input_tokens": 400.0, "output_tokens": 100.0}
"""Where nobody says: the article's 10,000 calls, and a prompt long enough for the question to be worth asking."""
QUESTIONS = {
    "calls_per_day": "Calls a day, over all seven days",
    "prefix_tokens": "Tokens of the prompt that every call repeats",
    "input_tokens": "Tokens of a call's own input",
    "output_tokens": "Tokens of an answer",
}
PATHS = {
    "calls_per_day": "workload.calls_per_day", "input_tokens": "workload.tokens.input",
    "output_tokens": "workload.tokens.output", "prefix_tokens": "options.today.prefix_tokens",
}


def usage(
    file: Annotated[Path, typer.Argument(metavar="LOG", help="A usage export of OpenAI, Anthropic, LiteLLM, ...")],
    column: Columns = None,
    json: Json = False,
) -> None:
    """Sum up a usage log, and check what was paid against the price book."""
    from simulator import checked_bill, shipped_book

    read = _read(file, column)
    day = max(read.by_day)
    bills = checked_bill(read.sold, shipped_book().prices, day, paid=read.usd is not None)
    if json:
        emit_json({
            "rows": read.rows, "calls": read.calls, "days": read.days, "failed": read.failed, "paid_usd": read.usd,
            "unpaid_rows": read.unpaid_rows,
            "calls_per_day": None if read.calls is None else read.calls / read.days,
            "hours": read.hours, "weekdays": read.weekdays, "models": read.models,
            "by_day": None if read.calls is None else {str(day): calls for day, calls in read.by_day.items()},
            "bill": [{"model": one.model, "service": one.service, "price": one.price, "book_usd": one.book_usd,
                      "paid_usd": one.paid_usd, "note": one.note} for one in bills],
        })
        return
    from simulator.formats import NONE, days, usd

    def paid(amount: float | None) -> str:
        return "" if amount is None else usd(amount)

    if read.calls is None:
        say(f"{file}: tokens of {days(read.days)}; how many calls they were is not in the export")
    else:
        say(f"{file}: {read.calls:,.0f} calls on {days(read.days)}, {read.calls / read.days:,.0f} a day")
    if read.usd is not None and read.unpaid_rows:
        without = f"{read.unpaid_rows:,} of {read.rows:,} rows have no cost"
        say(f"Paid: {usd(read.usd)}, and {without}, so that less stands under paid than the book counts.")
    calls = {key: f"{sums['calls']:,.0f}" if "calls" in sums else NONE for key, sums in read.sold.items()}
    rows = [
        (one.model or "(no name)", calls[one.model, one.service], paid(one.book_usd), paid(one.paid_usd), one.note)
        for one in bills
    ]
    say(table({"model": "left", "calls": "right", "by the book": "right", "paid": "right", "price": "left"}, rows))


def init(
    log: Annotated[Path | None, typer.Option("--from", metavar="LOG", help="A usage log to take demand from.")] = None,
    prompt: Annotated[Path | None, typer.Option("--prompt", metavar="FILE", help="The prompt of today.")] = None,
    dataset: Annotated[Path | None, typer.Option("--dataset", metavar="FILE", help="Training examples, JSONL.")] = None,
    out: Annotated[Path | None, written_to("--out", "FILE", "Where to write (default: print).")] = None,
    on: Annotated[str | None, typer.Option("--start", metavar="DATE", help="The first day (default: today).")] = None,
    column: Columns = None,
    calls: Annotated[
        float | None, typer.Option("--calls", metavar="N", help="Calls in all of LOG, where it does not count them.")
    ] = None,
) -> None:
    """Write a commented scenario from what there is; on a terminal, ask for the rest."""
    from simulator import Start, count_tokens, read_dataset, read_prompt, shipped_book, starter, write_whole

    if out is not None and out.exists():
        raise InputError(f"{out}: is there already; name another file")
    known: dict[str, str] = {}
    numbers: dict[str, Any] = {}
    more: dict[str, Any] = {}
    read = _counted(log, column, calls)
    price = None if read is None else _main_price(read)
    where = "the busiest model of the log"
    if price is None:
        price, where = _asked_price()
    known["options.today.price"] = where
    from simulator.formats import days

    rule = shipped_book().table(price).versions[-1].rules.tokens
    if log is not None and read is not None and read.calls is not None:
        numbers |= _from_log(read, read.calls, more)
        known |= {PATHS[name]: f"{log.name}, {days(read.days)}" for name in numbers}
        if read.failed:
            rate = f"{read.failed:,.0f} of {read.calls:,.0f} calls failed in {log.name}"
            known["options.today.retries.failure_rate"] = rate
            for name in ("cheaper", "tuned"):
                known[f"options.{name}.retries.failure_rate"] = f"that of today: {rate}"
        if calls is not None:
            spread = f"{log.name}, {days(read.days)}, spread as its tokens"
            known[PATHS["calls_per_day"]] = f"--calls {calls:,.0f} over {spread}"
    if prompt is not None:
        counted = count_tokens(read_prompt(prompt), rule.encoding, rule.factor)
        numbers["prefix_tokens"] = counted.tokens
        known[PATHS["prefix_tokens"]] = f"{prompt.name}, counted with {counted.encoding}"
    elif read is not None:
        unknown = "not known from a log: all input counts as the call's own"
        numbers["prefix_tokens"], words = _asked("prefix_tokens", 0.0, unknown)
        known[PATHS["prefix_tokens"]] = words
    if read is not None:                                        # a log counts the prompt as input
        numbers["input_tokens"] = max(1.0, numbers["input_tokens"] - numbers["prefix_tokens"])
        if (cached := read.total("cached")) and numbers["prefix_tokens"]:
            prompts = numbers["calls_per_day"] * read.days * numbers["prefix_tokens"]
            more["cache_hit_rate"] = min(1.0, cached / prompts)
            known["options.today.cache_hit_rate"] = "cached tokens of the log over the prompts of its calls"
    if dataset is not None:
        check = read_dataset(dataset, lambda text: count_tokens(text, rule.encoding, rule.factor).tokens)
        more |= {"examples": len(check.lengths), "tokens_per_example": check.tokens / len(check.lengths)}
        known["options.tuned.training.examples"] = dataset.name
    else:
        known["options.tuned.training.examples"] = "a guess of init, at 2 minutes each: --dataset FILE counts yours"
    for name, guess in ASSUMED.items():
        if name not in numbers:
            numbers[name], known[PATHS[name]] = _asked(name, guess)
    known |= dict.fromkeys(("options.cheaper.price", "options.tuned.price"), "a guess of init: change it as you like")
    known["options.tuned.ready_after_days"] = "a guess of init: three weeks to write examples, train and test"
    text = starter(Start(start=day_or_today(on, "--start"), price=price, known=known, **numbers, **more))
    rests = points(f"{path}: {words}" for path, words in sorted(known.items()))
    if out is None:
        emit(text)
        return
    try:
        write_whole(out, text.encode())
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}); name another file") from None
    say(f"Written to {out}; ask it: tunepoint compare {out}", "What it rests on:", rests)


def _read(file: Path, column: list[str] | None) -> Usage:
    from simulator import read_usage, summed_usage

    columns = None
    if column:
        columns = {}
        for text in column:
            name, equals, where = text.partition("=")
            if not equals or not where:
                raise InputError(f'--column: "{text}" is no pair; write FIELD=COLUMN, as in time=created_at')
            columns[name] = where
    read: Usage = summed_usage(read_usage(file, columns, "--column"))
    if read.calls == 0:
        raise InputError(f"{file}: holds no calls; name a log with some")
    return read


def _counted(log: Path | None, column: list[str] | None, calls: float | None) -> Usage | None:
    """The log with the number of its calls, which stands in it or in --calls, and never in both."""
    if log is None:
        if calls is not None:
            raise InputError("--calls: is the number of calls in a log; name the log by --from")
        return None
    read = _read(log, column)
    if calls is None:
        if read.calls is None:
            over = f"add --calls NUMBER, those of all its {read.days:g} days"
            raise InputError(f"{log}: sums up tokens and does not say how many calls they were; {over}")
        return read
    if read.calls is not None:
        raise InputError(f"--calls: {log} counts {read.calls:,.0f} calls itself; leave --calls out")
    if not 0 < calls < math.inf:
        raise InputError(f"--calls: is {calls:g}; it must be a number above 0")
    return read.counting(calls)


def _main_price(read: Usage) -> str | None:
    from simulator import checked_bill, shipped_book

    def size(name: str) -> float:
        sums = read.models[name]
        tokens = sums["input"] + sums["cached"] + sums["cache_write"] + sums["output"]
        return float(sums.get("calls", tokens))

    busiest = max(read.models, key=size)
    sums = {(busiest, "standard"): read.models[busiest]}
    one = checked_bill(sums, shipped_book().prices, max(read.by_day), paid=False)[0]
    return one.price if one.book_usd is not None else None


def _from_log(read: Usage, calls: float, more: dict[str, Any]) -> dict[str, float]:
    whole = sum(read.total(meter) for meter in ("input", "cached", "cache_write"))
    more |= {"hours": read.hours, "weekdays": read.weekdays, "failure_rate": read.failed / calls}
    return {
        "calls_per_day": calls / read.days,
        "input_tokens": max(1.0, whole / calls),
        "output_tokens": max(1.0, read.total("output") / calls),
    }


def _asked(name: str, guess: float, otherwise: str = "a guess of init: measure yours") -> tuple[float, str]:
    """A number asked for on a terminal until it is one, else the guess; and where it came from."""
    while sys.stdin.isatty():
        typed = typer.prompt(QUESTIONS[name], default=f"{guess:g}", err=True)
        try:
            number = typed_number(typed.strip(), QUESTIONS[name])
            if number < 0 or (number == 0 and name != "prefix_tokens"):
                raise InputError(f"{QUESTIONS[name]}: {number:g} is too small; it must be above 0")
        except InputError as error:
            typer.echo(str(error), err=True)
            continue
        return number, otherwise if number == guess else "typed at init"
    return guess, otherwise


def _asked_price() -> tuple[str, str]:
    """The price of today's model, asked for on a terminal until it is one of the book's, else the usual one."""
    from simulator import shipped_book

    assumed = "a guess of init: tunepoint prices list names all"
    while sys.stdin.isatty():
        typed = typer.prompt("Price of today's model, as tunepoint prices list names it", default=TODAY, err=True)
        try:
            shipped_book().table(typed.strip())
        except InputError as error:
            typer.echo(str(error), err=True)
            continue
        return typed.strip(), assumed if typed.strip() == TODAY else "typed at init"
    return TODAY, assumed
