"""`tunepoint trace`, `tokens` and `schema`: what goes in, read and described before any question is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.errors import InputError
from simulator.cli.flags import Csv, Json, On, day_or_today, one_form, written_to
from simulator.cli.output import emit_csv, emit_json, points, say, table
from simulator.formats import NONE, many, measured, quantity, usd_exact

PLAIN = "o200k_base"
"""The encoding that counts where no model is named: that of OpenAI's models since May 2024."""
ENOUGH_BYTES = 32_000_000
"""More than any prompt may have, so that an endless stream is refused rather than read for ever."""


def trace(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A log of calls: CSV, JSONL or Parquet, plain or gzip.")],
    price: Annotated[str | None, typer.Option("--price", metavar="ID", help="Bill every call at this price.")] = None,
    on: On = None,
    fit: Annotated[
        Path | None, written_to("--fit", "OUT.yaml", "Fit demand to it and write a scenario.")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option("--serve", metavar="SERVING_ID|PROFILE.yaml", help="Serve every call on such replicas."),
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", help="How many serve.", min=1, max=512)] = 1,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Read a log of calls, describe its demand, and bill it to the last token."""
    if fit is not None:
        if serve is not None or on is not None:
            raise InputError(f"--fit and {'--on' if serve is None else '--serve'}: a log is fitted, billed or served; "
                             "ask for one of them")
        _fit(file, fit, price, json, csv)
        return
    from simulator import describe_counts, describe_trace_file, is_counts, replay_blocks, shipped_book, trace_blocks

    one_form(json, csv)
    if on is not None and price is None:
        raise InputError("--on: a day is asked of a price; name one with --price")
    table_of_price = None if price is None else shipped_book([price.partition("/")[0]]).prices.get(price)
    if price is not None and table_of_price is None:
        table_of_price = shipped_book().table(price)  # which names the nearest id
    found: dict[str, Any]
    if windowed := file.is_file() and is_counts(file):
        if price is not None or serve is not None:
            done = "served" if price is None else "billed"
            raise InputError(f"{file}: counts per window name no call, so none can be {done}; use --fit, then compare")
        found, notes = describe_counts(file)
    else:
        found, notes = describe_trace_file(file)
    if table_of_price is not None:
        bill = replay_blocks(trace_blocks(file), table_of_price, day_or_today(on))
        found |= {
            "cost_usd": bill.cost_usd,
            "by_line": bill.by_line,
            "price_version": bill.price_version,
            "price_confidence": bill.confidence,
        }
    if serve is not None:
        from simulator import read_trace

        found |= _served(read_trace(file), serve, replicas)
    if json:
        emit_json({**found, "notes": list(notes)})
    elif csv:
        row = _flat(found)
        emit_csv([row], list(row))
    else:
        (_show_counts if windowed else _show_trace)(found, str(file), notes)


def _fit(file: Path, out: Path, price: str | None, json: bool, csv: bool) -> None:
    """Fit, write the scenario, and set the figures of the fitted model beside those of the log."""
    from simulator import fit_log, write_fitted

    one_form(json, csv)
    if price is not None:
        raise InputError("--fit and --price: a log is fitted or billed; ask for one of them")
    found = fit_log(file)
    write_fitted(out, found.workload, str(file))
    rows = [{"figure": what, "log": log, "fitted": model} for what, log, model in found.rows]
    if json:
        emit_json({"workload": found.workload, "fit": rows, "notes": list(found.notes), "written": str(out)})
    elif csv:
        emit_csv(rows, ["figure", "log", "fitted"])
    else:
        said = [(what, *("-" if x is None else measured(x) for x in both)) for what, *both in found.rows]
        say(table({"": "left", "log": "right", "fitted": "right"}, said))
        say(points(found.notes), f"Written to {out}; ask it: tunepoint compare {out}")


def tokens(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A text file, or - for standard input.")],
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Count as this model does.")] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="Count with a Hugging Face tokenizer.json.")
    ] = None,
    json: Json = False,
) -> None:
    """Count the tokens of a text, offline."""
    from simulator import TokenCount, chat_in, count_tokens, decode_prompt, read_prompt, read_tokenizer, shipped_book

    rule = None if model is None else shipped_book().table(model).versions[-1].rules.tokens
    own = None if tokenizer is None else read_tokenizer(tokenizer)
    text = decode_prompt(sys.stdin.buffer.read(ENOUGH_BYTES), "-") if file == "-" else read_prompt(file)
    if (request := chat_in(text)) is not None:
        _tell_chat(request, rule, own, model, json)
        return
    if own is not None:
        counted = TokenCount(tokens=own.count(text), exact=True, encoding=own.name)
    else:
        counted = count_tokens(text, PLAIN) if rule is None else count_tokens(text, rule.encoding, rule.factor)
    exact = counted.exact and (own is not None or rule is None or rule.exact)
    note = counted.note or ("" if exact else f"that {model} counts with {counted.encoding} is not confirmed")
    if json:
        emit_json(
            {"tokens": counted.tokens, "exact": exact, "encoding": counted.encoding, "model": model, "note": note}
        )
    else:
        say(f"{many(counted.tokens, 'token')} ({counted.encoding}, {'exact' if exact else f'an estimate: {note}'})")


def _tell_chat(request: dict[str, Any], rule: Any, own: Any, model: str | None, json: bool) -> None:
    """Tokens of a chat request; tool definitions make it an estimate, as nobody publishes how they are written."""
    from simulator import chat_tokens, count_tokens

    encoding, factor = (PLAIN, 1.0) if rule is None or own is not None else (rule.encoding, rule.factor)
    added = (3, 3) if rule is None else (rule.per_message, rule.per_request)
    if own is not None:                 # its chat template, not in this file, says what stands around a message
        found, name, exact = chat_tokens(request, own.count, *added), own.name, False
    else:
        found = chat_tokens(request, lambda part: count_tokens(part, encoding).tokens, *added)
        whole = count_tokens("", encoding)
        name, exact = whole.encoding, whole.exact and factor == 1 and not found.tools and (rule is None or rule.exact)
    total = round(found.total * factor)
    if json:
        emit_json({
            "tokens": total, "exact": exact, "encoding": name, "model": model, "messages": found.messages,
            "text": found.text, "overhead": found.overhead, "tools": found.tools,
        })
        return
    parts = f"{found.text:,} of text, {found.overhead:,} around it, {found.tools:,} of tools"
    how = "exact" if exact else "an estimate"
    say(f"{many(total, 'token')} in {many(found.messages, 'message')}: {parts} ({name}, {how})")


def schema(json: Annotated[bool, typer.Option("--json", help="JSON is what it prints anyway.")] = False) -> None:
    """Print the JSON Schema of a scenario file, for an editor."""
    from simulator import scenario_schema

    emit_json(scenario_schema())


def _served(calls: Any, serve: str, replicas: int) -> dict[str, Any]:
    """What a fleet of fixed size does with every call of the log at its own time."""
    from simulator import read_replica, replay_calls, serving_json

    times = (calls.stamps_ns - calls.stamps_ns[0]) / 1e9
    done = replay_calls(read_replica(serve), times, calls.input_tokens, calls.output_tokens, replicas)
    return serving_json(done)  # type: ignore[no-any-return]


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    """Nested findings as one row: `input.mean`, `dispersion.1s`."""
    if not isinstance(node, dict):
        return {path: node}
    leaves = (_flat(inner, f"{path}.{name}" if path else name) for name, inner in node.items())
    return {key: leaf for some in leaves for key, leaf in some.items()}


def _show_trace(found: dict[str, Any], source: str, notes: tuple[str, ...]) -> None:
    sums = f"{found['input_tokens']:,} tokens in, {found['output_tokens']:,} out"
    calls = f"{found['rows']:,} call{'' if found['rows'] == 1 else 's'}"
    say(f"{source}: {calls} over {quantity(found['span_s'])} s, {sums}")
    if "cost_usd" in found:
        lines = ", ".join(f"{line} {usd_exact(usd)}" for line, usd in found["by_line"].items())
        unverified = "; this price is unverified" if found["price_confidence"] == "unverified" else ""
        say(f"{usd_exact(found['cost_usd'])} at {found['price_version']}, nothing cached: {lines}{unverified}")
    if "latency" in found:
        p95 = {name: found["latency"][name]["p95"] for name in ("ttft_s", "e2e_s")}
        many = "1 replica" if found["replicas"] == 1 else f"{found['replicas']} replicas"
        say(
            f"Served on {many}: first token p95 {measured(p95['ttft_s'])} s, end to end p95 "
            f"{measured(p95['e2e_s'])} s, {measured(found['output_tokens_per_s'])} output tokens a second, "
            f"{100 * found['utilisation']:.0f} % of what it could, {found['refused']:,} refused"
        )
        if found["overload"]:
            waiting = f"{found['waiting_at_end']:,} were waiting when the last came"
            most = measured(found["saturation_per_s"])
            say(f"Overload: calls come faster than the {most} a second served; {waiting}.")
    names = ("mean", "p50", "p95", "p99", "max")
    rows = [(side, *(quantity(found[side][name]) for name in names)) for side in ("input", "output")]
    say(table({"tokens a call": "left", **dict.fromkeys(names, "right")}, rows))
    say(f"Gaps between calls: coefficient of variation {_or_none(found['interarrival_cv'])} (1 for a Poisson stream)")
    _say_dispersion(found, notes)


def _show_counts(found: dict[str, Any], source: str, notes: tuple[str, ...]) -> None:
    windows = f"{found['rows']:,} windows of {found['window_s']:g} s"
    say(f"{source}: {quantity(found['calls'])} calls in {windows}, {quantity(found['span_s'])} s in all")
    names = ("mean", "p50", "p95", "p99", "max")
    rows = [("calls a second", *(quantity(found["calls_per_s"][name]) for name in names))]
    rows += [
        (f"{side} tokens a call", quantity(found[side]["mean"]), "", "", "", "")
        for side in ("input", "output")
        if found[side] is not None
    ]
    say(table({"": "left", **dict.fromkeys(names, "right")}, rows))
    _say_dispersion(found, notes)


def _say_dispersion(found: dict[str, Any], notes: tuple[str, ...]) -> None:
    spread = [f"{window} {_or_none(value)}" for window, value in found["dispersion"].items()]
    say(f"Dispersion of counts (1 for a Poisson stream): {', '.join(spread)}")
    if notes:
        say(points(notes))


def _or_none(value: float | None) -> str:
    return NONE if value is None else measured(value)
