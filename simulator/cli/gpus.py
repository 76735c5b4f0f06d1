"""`tunepoint gpu` and `size`: the hardware book, what one replica does, and the fleet that keeps its promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.errors import InputError
from simulator.cli.flags import Bare, Csv, Json, On, Set, day_or_today, one_form, typed_number
from simulator.cli.output import emit_csv, emit_json, points, say, table
from simulator.formats import NONE, measured, usd
from simulator.formats import rate as usd_rate

if TYPE_CHECKING:
    from simulator.domain.findings import ServingRun

app = typer.Typer(
    rich_markup_mode=None, pretty_exceptions_enable=False, help="The hardware book, and what a replica does."
)
LISTED = ("id", "gpu", "commitment", "usd_per_gpu_hour", "effective", "confidence", "age_days")
CALLS = 20_000
"""Calls of a steady run: the mean of a stay is then known to about one percent."""
MOST_CALLS = 20_000_000


@app.command("list")
def list_gpus(
    gpu: Annotated[str | None, typer.Option("--gpu", help="Only this card, as in rtx-4090.")] = None,
    on: On = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Every GPU price in force on a day: rent by commitment, and what one owns."""
    from simulator import gpu_rows, shipped_hardware

    one_form(json, csv)
    book = shipped_hardware()
    if gpu is not None:
        book.spec(gpu)
    rows = [row for row in gpu_rows(book, day_or_today(on)) if gpu in (None, row["gpu"])]
    if json:
        emit_json(rows)
    elif csv:
        emit_csv(rows, LISTED)
    else:
        cells = [
            (row["id"], row["commitment"], _usd(row["usd_per_gpu_hour"]), str(row["effective"]), row["confidence"])
            for row in rows
        ]
        heads = {"GPU": "fixed", "bound": "fixed", "USD/h": "right", "since": "fixed", "confidence": "fixed"}
        say(table(heads, cells), f"{len(rows)} prices. Owned cards cost their purchase and their power.")


@app.command("show")
def show_gpu(
    id: Annotated[str, typer.Argument(metavar="ID", help="A card, provider/gpu, or engine/gpu/model/precision.")],
    on: On = None,
    json: Json = False,
) -> None:
    """A card, its price at a provider, or what a replica of a model can do on it, each with who says so."""
    from simulator import gpu_json, shipped_hardware

    found = gpu_json(shipped_hardware(), id, day_or_today(on))
    if json:
        emit_json(found)
        return
    say(f"{id}", points(f"{key}: {_plain(value)}" for key, value in found.items() if value not in (None, {}, [])))


@app.command("run")
def run_gpu(
    profile: Annotated[
        str, typer.Argument(metavar="SERVING_ID|PROFILE.yaml", help="engine/gpu/model/precision, or a file of yours.")
    ],
    input_tokens: Annotated[str, typer.Option("--input", metavar="N", help="Input tokens of a call.")],
    output_tokens: Annotated[str, typer.Option("--output", metavar="N", help="Output tokens of a call.")],
    concurrency: Annotated[str | None, typer.Option("--concurrency", metavar="C", help="Calls at any time.")] = None,
    rate: Annotated[str | None, typer.Option("--rate", metavar="R", help="Calls a second, Poisson.")] = None,
    requests: Annotated[
        str | None, typer.Option("--requests", metavar="N", help="A finite run of so many (default: steady state).")
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", help="Replicas behind one door.", min=1, max=512)] = 1,
    prefix: Annotated[str, typer.Option("--prefix", metavar="N", help="Tokens shared by all calls.")] = "0",
    seed: Annotated[int, typer.Option("--seed", help="Of arrivals.", min=0)] = 0,
    json: Json = False,
) -> None:
    """What a replica does: latency and speed at a rate of calls, or with a fixed number in flight."""
    from simulator import read_replica, saturation, serve_calls, serving_json

    if (concurrency is None) == (rate is None):
        raise InputError("--concurrency and --rate: give one of them")
    replica = read_replica(profile)
    lengths = {
        "prefix": float(_whole(prefix, "--prefix", 0)),
        "input": float(_whole(input_tokens, "--input", 1)),
        "output": float(_whole(output_tokens, "--output", 1)),
    }
    speed = None if rate is None else typed_number(rate, "--rate")
    if speed is not None and not 1e-6 <= speed <= 1e6:
        raise InputError(f"--rate: {rate} calls a second; give a number from 1e-6 to 1e6")
    many = None if concurrency is None else _whole(concurrency, "--concurrency", 1)
    calls = CALLS if requests is None else _whole(requests, "--requests", 1)
    if requests is None and many is not None:
        calls = max(20 * many, 2000)
    done = serve_calls(
        replica, lengths, rate_per_s=speed, concurrency=many, calls=calls, replicas=replicas, seed=seed,
        steady=requests is None,
    )
    slow, fast = (saturation(end, lengths, played=True) * replicas for end in replica.ends)
    if json:
        emit_json({**serving_json(done), "saturation_range_per_s": [slow, fast]})
        return
    known = "an estimated" if replica.estimated else "a measured" if replica.measured else "a typed"
    _tell(done, f"{profile}: {known} profile")
    what = "every parameter" if replica.estimated else "what the model leaves out in production"
    both = f"{measured(slow)} to {measured(fast)} calls a second can be served"
    say(f"With {what} at the slow and the fast end of its range, {both}.")


def size(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    option: Annotated[str, typer.Option("--option", metavar="NAME", help="The fleet to size.")],
    set_: Set = None,
    bare: Bare = False,
    seed: Annotated[int, typer.Option("--seed", help="Of arrivals and lengths.", min=0)] = 0,
    json: Json = False,
) -> None:
    """The smallest fleet that meets the latency targets at its busiest hour, and what binds."""
    from simulator import NoFleet, read_scenario, size, sizing_json

    found = size(read_scenario(scenario, set_ or (), bare), option, seed)
    if json:
        emit_json(sizing_json(found))
    elif found.replicas is not None and found.run is not None:
        say(
            f"{option}: {found.replicas} replica{'s' if found.replicas > 1 else ''} for {measured(found.rate_per_s)} "
            f"calls a second, the 99 % quantile of the last 28 days; {usd(found.usd_per_month or 0.0)} a month around "
            "the clock",
            f"One less is held back by: {found.binds}" if found.replicas > 1 else f"First to bind: {found.binds}",
        )
        _tell(found.run, f"At that rate, over {found.run.calls / found.rate_per_s:,.0f} s after filling up")
    if found.replicas is None:
        raise NoFleet(f"options.{option}: {found.binds}; take a faster card, a smaller model, or a later target")


def _tell(done: ServingRun, title: str) -> None:
    names = {"ttft_s": "first token", "tpot_s": "further token", "e2e_s": "end to end"}
    rows = [
        (words, *(_seconds(getattr(getattr(done, name), at)) for at in ("mean", "p50", "p95", "p99")))
        for name, words in names.items()
    ]
    say(
        f"{title}: {done.calls:,} calls",
        table({"seconds": "left", **dict.fromkeys(("mean", "p50", "p95", "p99"), "right")}, rows),
        f"{measured(done.output_tokens_per_s)} output tokens a second, {measured(done.requests_per_s)} calls a second; "
        f"{100 * done.utilisation:.0f} % of the {measured(done.saturation_per_s)} that can be served",
        f"{measured(done.mean_concurrency)} calls in flight, {done.preemptions:,} preemptions, "
        f"{done.refused:,} refused, over {measured(done.makespan_s)} s",
    )
    if done.overload:
        say(f"Overload: calls come faster than they are served; {done.waiting_at_end:,} were waiting at the end.")


def _whole(text: str, flag: str, least: int) -> int:
    number = typed_number(text, flag)
    if number != int(number) or not least <= number <= MOST_CALLS:
        raise InputError(f"{flag}: {text} is not a whole number from {least} to {MOST_CALLS:,}")
    return int(number)


def _seconds(value: float) -> str:
    return NONE if value != value else measured(value)  # one token has no further one


def _usd(value: Any) -> str:
    return "" if value is None else usd_rate(value)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items() if inner is not None)
    if isinstance(value, float):
        return f"{value:,.6g}"
    return str(value)
