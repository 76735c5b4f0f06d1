"""Many scenarios over many points: a batch file run in the pool, its points filtered, drawn and taken along."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import pictures, question, shown, take, work, workshop
from dashboard.guard import guarded
from pricing.errors import InputError
from simulator import (
    OPTION_TOTAL,
    BatchTask,
    as_csv,
    as_parquet,
    batch_points,
    charts,
    packed,
    parse_batch,
    price_task,
    shipped_batches,
)
from simulator.charts_style import places
from simulator.formats import usd

if TYPE_CHECKING:
    from simulator import Batch, BatchPoints, Job

MOST_POINTS = 100_000
"""Of the page, whose table is kept in memory; the command line writes as many as the disk holds."""
CHOOSE = "Every number"
Files = tuple[str, bytes, tuple[tuple[str, bytes], ...]]


@st.fragment
def page() -> None:
    """A batch, its progress, its points."""
    shown.title("Batch", "What is the answer for many scenarios, volumes and prompts at once?")
    with guarded():
        question.keep_in_address(question.asked())
        sent = _asked()
        batch = _read(*sent)
        _told(batch)
        if batch.points > MOST_POINTS:
            shown.say(f"This page takes up to {MOST_POINTS:,} points; run tunepoint batch for more.")
            return
        key = ("batch", batch.digest)
        job = workshop.job_of(key)
        over = job is not None and job.state in ("running", "done")
        st.button("Run the batch", icon=":material/play_arrow:", type="primary", disabled=over,
                  on_click=_begin, args=(key, batch))
        if job is not None and job.state == "running":
            workshop.progress(key, "parts")
        elif job is not None:
            workshop.ended(job)
            points, problems = _priced(sent, job)
            shown.points("Could not be priced", problems)
            if len(points):
                _found(points, batch)


def _asked() -> Files:
    """The batch that is chosen: a shipped one, or one that was sent with its scenarios."""
    shipped = {path.stem: path for path in shipped_batches()}
    sent: Files | None = st.session_state.get("sent batch")
    names = [*([sent[0]] if sent else []), *shipped]
    chosen, own = st.columns([0.6, 0.4], vertical_alignment="bottom")
    name = chosen.selectbox("Batch", names, key="which batch")
    with own.popover("Upload your own (YAML)", width="stretch"):
        st.file_uploader("Batch file, and the scenarios it names", type=["yaml", "yml"], key="batch files",
                         accept_multiple_files=True, on_change=_take_up)
        shown.say("The batch file is the one that begins with scenarios: [...]. It may name the files sent with it, "
                  "and shipped ones as in ../support-triage.yaml.")
    if sent and name == sent[0]:
        return sent
    return name, shipped[name].read_bytes(), ()


def _take_up() -> None:
    """Keep what was sent and show it: the batch is the newest file with a line that begins with `scenarios:`.

    The uploader adds files up, the newest last: a corrected batch follows the one it replaces.
    """
    files = [(file.name, file.getvalue()) for file in st.session_state["batch files"] or ()]
    batches = [file for file in files if b"\nscenarios:" in b"\n" + file[1]] or files[-1:]
    if batches:
        lead = batches[-1]
        st.session_state["sent batch"] = (*lead, tuple(file for file in files if file not in batches))
        st.session_state["which batch"] = lead[0]


@functools.lru_cache(maxsize=8)
def _read(name: str, raw: bytes, scenarios: tuple[tuple[str, bytes], ...]) -> Batch:
    return parse_batch(raw, name if "." in name else f"{name}.yaml", dict(scenarios))


def _told(batch: Batch) -> None:
    """What the batch is made of."""
    axes = dict.fromkeys(axis.path for member in batch.members for axis in member.axes)
    many = len(batch.members)
    shown.say(f"{batch.points:,} points of {many} {'scenario' if many == 1 else 'scenarios'}"
              + (f", varying {', '.join(axes)}." if axes else "."))
    shown.points("Could not be read", list(batch.refused.values()))


def _begin(key: tuple[str, str], batch: Batch) -> None:
    tasks = [
        BatchTask(pieces=tuple((piece, batch.members[piece.member]) for piece in group), engine=batch.engine,
                  packed=packed)
        for group in batch.tasks(batch.pieces())
    ]
    workshop.begin(key, price_task, tasks)


@functools.lru_cache(maxsize=4)
def _priced(sent: Files, job: Job) -> tuple[BatchPoints, list[str]]:
    """The table of a job that has ended, and the sentences of what could not be priced."""
    batch = _read(*sent)
    done = [one for group in job.results for one in group]
    problems = dict.fromkeys(f"{batch.members[one.piece.member].name}: {one.problem}" for one in done if one.problem)
    return batch_points(batch, [(one.piece, one.content) for one in done if one.problem is None]), list(problems)


def _found(points: BatchPoints, batch: Batch) -> None:
    kept = _filtered(points)
    if not len(kept):
        shown.say("No point passes the filters.")
        return
    chosen = ", ".join(f"{word} {sum(kept.columns['choice'] == word):,}" for word in kept.words("choice"))
    low, high = kept.span("total_usd") if "total_usd" in kept.numbers else (0.0, 0.0)
    span = f" The choice costs {usd(low)} to {usd(high)}." if high else ""
    shown.say(f"{len(kept):,} of {len(points):,} points. Cheapest: {chosen}.{span}")
    _drawn(kept, points, batch)
    with st.container(horizontal=True):
        st.download_button("These points (CSV)", lambda: as_csv(kept.rows()), "batch.csv", "text/csv",
                           on_click="ignore")
        st.download_button("These points (Parquet)", lambda: as_parquet(kept.rows()), "batch.parquet",
                           "application/octet-stream", on_click="ignore")
    st.dataframe(
        dict(kept.columns), hide_index=True, height=420, key="points",
        column_config={name: st.column_config.NumberColumn(charts.column_name(name), format=_format(name))
                       for name in kept.columns if kept.columns[name].dtype == float},
    )


def _format(name: str) -> str:
    if "usd" in name and "call" not in name:
        return "dollar"
    return "$%.4g" if "usd" in name else "localized"


def _filtered(points: BatchPoints) -> BatchPoints:
    """The points that pass the filters of the page; a filter that is left empty lets everything pass."""
    one, two, three = st.columns([1, 1, 1])
    words: dict[str, Any] = {}
    for place, name, label in ((one, "scenario", "Scenarios"), (two, "choice", "Cheapest option")):
        wanted = place.multiselect(label, points.words(name), key=f"only {name}", placeholder="All")
        if wanted:
            words[name] = wanted
    column = three.selectbox("Only where", [CHOOSE, *points.numbers], key="only where", format_func=charts.column_name)
    spans = {}
    if column != CHOOSE:
        low, high = points.span(column)
        label = question.plain(charts.column_name(column))
        spans[column] = st.slider(label, low, high, (low, high), key=f"between {column}", format="%.4g")
    return points.where(words, spans)


def _drawn(points: BatchPoints, every: BatchPoints, batch: Batch) -> None:
    """Any two columns of numbers against each other; each word looks the same whatever is filtered."""
    if len(points.numbers) < 2:
        return
    across, up, by = st.columns([1, 1, 1])
    axes = [name for name in points.numbers if "." in name and not name.startswith(OPTION_TOTAL)]
    x = across.selectbox("Across", points.numbers, points.numbers.index(axes[0]) if axes else 0, key="batch x",
                         format_func=charts.column_name)
    y = up.selectbox("Upwards", points.numbers, points.numbers.index("total_usd") if "total_usd" in points.numbers
                     else 1, key="batch y", format_func=charts.column_name)
    words = [name for name in ("choice", "scenario", "runner_up", "best") if name in every.columns]
    colour = by.selectbox("Coloured by", words, key="batch colour",
                          format_func=lambda name: name.replace("_", "-"))
    met = every.words(colour)
    looks = places(met) if colour == "scenario" else places(
        _options_asked(), *(member.scenario.options for member in batch.members), of=met)
    figure = charts.batch_scatter(points, x, y, colour, looks)
    pictures.show("batch", figure)
    take.charts_of("batch", {"batch": figure})


def _options_asked() -> tuple[str, ...]:
    """The options of the scenario of the other pages, which come first as these colour them by their place in it."""
    try:
        return tuple(work.scenario_of(question.asked()).options)
    except InputError:
        return ()
