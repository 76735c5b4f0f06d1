"""`tunepoint map`, `sweep` and `sensitivity`: where the answer changes, and what moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.errors import InputError
from simulator.cli.flags import Bare, Csv, Json, Seed, Set, one_form, typed_number, written_to
from simulator.cli.output import emit_csv, emit_json

METHODS = ("tornado", "sobol", "voi", "flips")


def cost_map(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    x: Annotated[str, typer.Option("--x", metavar="PATH[=LO..HI]", help="The dial across.")],
    y: Annotated[str, typer.Option("--y", metavar="PATH[=LO..HI]", help="The dial upwards.")],
    facet: Annotated[
        str | None, typer.Option("--facet", metavar="PATH=A,B,C", help="A third dial: one map at each value.")
    ] = None,
    points: Annotated[int, typer.Option("--points", metavar="N", help="Points on each axis.")] = 100,
    out: Annotated[Path | None, written_to("--out", "FILE.html", "Write the picture there.")] = None,
    set_: Set = None,
    bare: Bare = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """The cheapest option over two dials, how clearly, and the break-even lines."""
    from simulator import cost_map, map_json, read_scenario, small_multiples, sweep_axis

    one_form(json, csv)
    asked = read_scenario(scenario, set_ or (), bare)
    (path_x, ends_x), (path_y, ends_y) = _ends(x, "--x"), _ends(y, "--y")
    if facet is None:
        found = (cost_map(asked, path_x, path_y, x_ends=ends_x, y_ends=ends_y, points=points),)
    else:
        third = sweep_axis(asked, facet)
        found = small_multiples(
            asked, path_x, path_y, third.path, third.values.tolist(), points=points, x_ends=ends_x, y_ends=ends_y
        )
    if out is not None:
        from simulator import charts

        charts.write_page(charts.cost_map(found), out)
    if json:
        emit_json(map_json(found[0]) if facet is None else [map_json(one) for one in found])
    elif csv:
        columns = (path_x, path_y, *(() if facet is None else (third.path,)), "cheapest", "margin_usd_per_month")
        emit_csv([row for one in found for row in _cells(one)], columns)
    else:
        from simulator.cli.studies_shown import show_map

        for one in found:
            show_map(one)


def sweep(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="PATH=LO..HI:N[:log]", help="A dial and its values; may be repeated.")
    ],
    set_: Set = None,
    bare: Bare = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """What every option costs at every combination of some dials, as a table."""
    from simulator import idle_axes, read_scenario, sweep, sweep_axis

    one_form(json, csv)
    asked = read_scenario(scenario, set_ or (), bare)
    axes = [sweep_axis(asked, text) for text in vary]
    still = idle_axes(asked, axes)
    for path in still:
        typer.echo(f"{path} changes nothing in this scenario.", err=True)
    rows: list[dict[str, Any]] = []
    for piece in sweep(asked, axes):
        columns: dict[str, list[Any]] = {path: values.tolist() for path, values in piece.dials.items()}
        columns |= {f"{name}_usd": usd.tolist() for name, usd in piece.usd.items()}
        columns |= {"cheapest": list(piece.cheapest), "margin_usd": piece.margin_usd.tolist()}
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if json:
        emit_json({"axes": [one.path for one in axes], "without_effect": list(still), "rows": rows})
    elif csv:
        emit_csv(rows, list(rows[0]))
    else:
        from simulator.cli.studies_shown import show_sweep

        show_sweep(rows, [one.path for one in axes], list(asked.options))


def sensitivity(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    method: Annotated[str, typer.Option("--method", help="tornado, sobol, voi or flips.")] = "tornado",
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Sobol: a power of two.")] = 1024,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="voi: number of draws.")] = 10_000,
    out: Annotated[Path | None, written_to("--out", "FILE.html", "Write the picture there.")] = None,
    set_: Set = None,
    seed: Seed = 0,
    bare: Bare = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """What moves the answer, what would flip it, and what to measure first."""
    import simulator
    from simulator import charts, read_scenario
    from simulator.cli import studies_shown

    one_form(json, csv)
    if method not in METHODS:
        raise InputError(f'--method: "{method}" is not one of {", ".join(METHODS)}')
    asked = read_scenario(scenario, set_ or (), bare)
    if method == "tornado":
        tornado = simulator.tornado(asked)
        answer, picture = simulator.tornado_json(tornado), charts.tornado(tornado)
    elif method == "sobol":
        sobol = simulator.sobol(asked, samples, seed)
        answer, picture = simulator.sobol_json(sobol), charts.sobol(sobol)
    elif method == "flips":
        flips = simulator.flips(asked)
        answer, picture = simulator.flips_json(flips), charts.flips(flips)
    else:
        ranged, said = simulator.supposed(asked)
        drawn = simulator.sample(ranged, draws, seed)
        worth, unsure = simulator.worth_of_knowing(drawn), simulator.uncertainty(drawn)
        answer = simulator.voi_json(unsure, worth, [said] if said else [])
        picture = charts.worth(worth, unsure, [said] if said else [])
    if out is not None:
        charts.write_page(picture, out)
    if method in ("tornado", "flips"):
        answer["notes"] = _of_copies(simulator.copied(scenario, set_ or ()), [row["path"] for row in answer["rows"]])
    if json:
        emit_json(answer)
    elif csv:
        emit_csv(answer["rows"], studies_shown.SENSITIVITY_COLUMNS[method])
    else:
        studies_shown.show_sensitivity(answer)


def _of_copies(copies: Mapping[str, Sequence[str]], paths: Sequence[str]) -> list[str]:
    """Where a dial that is typed back in would move more than the row that names it."""
    return [
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} like {model}: a row moves one option alone, "
        f"--set on {model} moves {'it' if len(names) == 1 else 'them'} too, where no value of its own is written."
        for model, names in copies.items()
        if any(path.startswith(f"options.{model}.") for path in paths)
    ]


def _ends(text: str, flag: str) -> tuple[str, tuple[float, float] | None]:
    path, equals, span = text.partition("=")
    if not equals:
        return path, None
    low, dots, high = span.partition("..")
    if not dots:
        raise InputError(f'{flag}: "{text}" is no axis; write PATH or PATH=LO..HI')
    return path, (typed_number(low, flag), typed_number(high, flag))


def _cells(found: Any) -> list[dict[str, Any]]:
    rows = []
    for i, y in enumerate(found.y_values.tolist()):
        for j, x in enumerate(found.x_values.tolist()):
            best = int(found.cheapest[i, j])
            rows.append(
                {
                    found.x: x,
                    found.y: y,
                    **({} if found.facet is None else {found.facet[0]: found.facet[1]}),
                    "cheapest": found.names[best] if best >= 0 else "",
                    "margin_usd_per_month": float(found.margin_usd[i, j]),
                }
            )
    return rows
