"""What machines cost and can do: rent by commitment, cards one owns, their limits, and what engines reach on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import pictures, question, shown, take, work
from dashboard.guard import guarded
from simulator import TunepointError, as_csv, charts, gpu_json, gpu_rows, shipped_hardware, shipped_serving, unsupported
from simulator.formats import day as written
from simulator.formats import days, quantity, rate

if TYPE_CHECKING:
    from pricing.hardware import Commitment, GpuRate, GpuTable, HardwareBook

SOURCES: dict[str, Any] = {
    "source": "who says so", "link": st.column_config.LinkColumn("page", display_text=shown.HOST),
}
WORDS = {
    "purchase_usd": "bought for, USD", "host_usd": "its share of a host, USD", "residual_usd": "sold again for, USD",
    "electricity_usd_per_kwh": "electricity, USD a kWh", "idle_w": "power when idle, W",
    "light_w": "power when decoding, W", "saturated_w": "power when full, W", "life_years": "used for, years",
    "pue": "power of the building over that of its machines",
    "granularity_s": "counted by, s", "min_billed_s": "billed at least, s",
    "storage_usd_per_gb_month": "storage, USD a GB and month", "egress_usd_per_gb": "egress, USD a GB",
    "stopped_storage_usd_per_gb_month": "storage while stopped, USD a GB and month",
    "cpu_usd_per_core_hour": "CPU, USD a core and hour", "memory_usd_per_gib_hour": "memory, USD a GiB and hour",
}
"""Terms of rent and figures of ownership, as a person says them."""
TALL_PX = 520
PROFILE = ("mbu", "mfu", "step_overhead_s", "per_sequence_s", "kv_tokens", "max_num_seqs", "points", "error_share",
           "confidence", "seen_on", "source", "link")
"""What of a serving profile the table shows."""
OWN = ("purchase_usd", "host_usd", "residual_usd", "life_years", "electricity_usd_per_kwh", "pue", "idle_w", "light_w",
       "saturated_w")
"""What of a card of one's own is typed in place of the book's figure."""


def show() -> None:
    """Four views of the hardware book, and a price of one's own."""
    book = shipped_hardware()
    listed, one, cards, serving, own = st.tabs(["All machines", "One machine over time", "What cards can do",
                                                "What engines reach", "My own price"])
    with listed, guarded():
        _list(book)
    with one, guarded():
        _one(book)
    with cards, guarded():
        _cards(book)
    with serving, guarded():
        _serving()
    with own, guarded():
        _own()


def _list(book: HardwareBook) -> None:
    looked_for, on = st.columns([3, 1])
    words = looked_for.text_input("Search", placeholder="a100 spot", key="gpu search").lower().split()
    day = on.date_input("In force on", value="today", key="gpus on")
    rows = []
    for row in gpu_rows(book, day):
        held: Any = row["commitment"] if row["commitment"] != "owned" else "on_demand"
        source = book.table(row["id"]).on(day, held).source
        row = row | {"commitment": held.replace("_", " ") if row["commitment"] != "owned" else "owned",
                     "source": source.title, "link": source.href}
        if all(word in f"{row['id']} {row['commitment']} {row['confidence']} {row['source']}".lower()
               for word in words):
            rows.append(row)
    shown.say(f"{len(rows)} prices in force on {written(day)}, USD for one card and hour. A card one owns costs its "
              f"purchase, its power and its host: see the next tab.")
    _table(rows, "gpu list", {
        "usd_per_gpu_hour": st.column_config.NumberColumn("USD an hour", format="$%.3f"), "commitment": "bound",
        "gpu": "card", "effective": "since", "confidence": "how sure", "age_days": "days since seen",
    })
    stale = [f"{name} ({age} days)" for name, age in book.stale(day).items()]
    shown.points("Not seen for 90 days or more", [", ".join(stale)] if stale else [])


def _table(rows: list[dict[str, Any]], name: str, columns: dict[str, Any]) -> None:
    st.dataframe(rows, hide_index=True, height=TALL_PX, key=name, placeholder="",
                 column_config={**columns, **SOURCES})
    st.download_button("This table (CSV)", lambda: as_csv(rows) if rows else "", f"{name.replace(' ', '-')}.csv",
                       "text/csv", on_click="ignore", key=f"save {name}")


def _one(book: HardwareBook) -> None:
    ids = sorted(book.gpus)
    scenario = work.scenario_of(question.asked())
    used = [name for option in scenario.options.values() if (name := getattr(option, "gpu", None)) in ids]
    name = st.selectbox("Machine", ids, ids.index(used[0]) if used else 0, key="gpu shown")
    table = book.table(name)
    if table.commitments:
        figure = charts.gpu_price_over_time(table, max(date.today(), *(one.effective for one in table.versions)))
        pictures.show("gpu-price", figure)
        take.charts_of(name.replace("/", "-"), {"gpu-price": figure})
    shown.table(
        {"from": "w", "recorded": "w", "USD for a card and hour": "", "who says so": "", "how sure": ""},
        [(str(one.effective), str(one.recorded), _rates(table, place), one.source.title, one.source.confidence)
         for place, one in enumerate(table.versions)],
    )
    told = gpu_json(book, name, max(date.today(), table.versions[0].effective))
    facts = {**(told["owned"] or {}), **told["terms"]}
    doubted = facts.pop("unverified", ())
    shown.points("Terms", [
        *(f"{WORDS.get(key, key)}: {_plain(value)}" for key, value in facts.items() if value not in (None, (), [], 0)),
        *([f"{unsupported(doubted, name)}; see My own price"] if doubted else []),
    ])
    shown.say(f"Last seen {days(told['age_days'])} ago; {told['confidence']}."
              + (f" {told['source']['note']}." if told["source"].get("note") else ""))
    if told["source"].get("href"):
        st.link_button("Open the source", told["source"]["href"])


def _rates(table: GpuTable, place: int) -> str:
    """The rates of a version, each beside the last one that sold the same."""
    version = table.versions[place]
    if version.owned is not None:
        return f"{rate(version.owned.purchase_usd)} to buy"
    said = []
    for commitment, usd in version.usd_per_gpu_hour.items():
        before = [one.usd_per_gpu_hour[commitment] for one in table.versions[:place]
                  if commitment in one.usd_per_gpu_hour]
        said.append(f"{commitment.replace('_', ' ')} "
                    + (f"{rate(before[-1])} -> {rate(usd)}" if before and before[-1] != usd else rate(usd)))
    return "; ".join(said)


def _cards(book: HardwareBook) -> None:
    shown.say("Decimal gigabytes; dense arithmetic with FP32 accumulation; the power limit of the card.")
    _table(
        [{"card": name, **_flat(dataclasses.asdict(spec))} for name, spec in sorted(book.specs.items())], "gpu cards", {
            "memory_gb": "memory, GB", "bandwidth_gb_s": "bandwidth, GB/s", "bf16_tflops": "bf16, TFLOP/s",
            "fp8_tflops": "fp8, TFLOP/s", "int8_tops": "int8, TOP/s", "fp4_tflops": "fp4, TFLOP/s",
            "tdp_w": "power, W", "confidence": "how sure", "seen_on": "seen on",
        },
    )


def _serving() -> None:
    shown.say("Shares of bandwidth (MBU) and arithmetic (MFU) that an engine really reaches, seconds a step and a "
              "sequence; error: of output tokens a second on runs held out. What is not listed is derived and marked.")
    rows = [
        {"id": f"{engine}/{name}",
         **{key: value for key, value in _flat(dataclasses.asdict(profile)).items() if key in PROFILE}}
        for engine, serving in shipped_serving().items() for name, profile in sorted(serving.profiles.items())
    ]
    _table(rows, "serving profiles", {
        "mbu": st.column_config.NumberColumn("MBU", format="percent"),
        "mfu": st.column_config.NumberColumn("MFU", format="percent"),
        "error_share": st.column_config.NumberColumn("error", format="percent"),
        "step_overhead_s": st.column_config.NumberColumn("step, s", format="%.5f"),
        "per_sequence_s": st.column_config.NumberColumn("sequence, s", format="%.7f"),
        "kv_tokens": st.column_config.NumberColumn("KV tokens", format="localized"),
        "max_num_seqs": "sequences at most", "confidence": "how sure", "seen_on": "seen on",
    })


def _own() -> None:
    """What a machine costs in this session; the link and the saved scenario carry it."""
    with guarded():  # what was typed wrong is taken back below
        _form()
    for changed in list(st.session_state.machines):
        st.button(f"Back to the book: {changed}", on_click=st.session_state.machines.pop, args=(changed,))
    question.unlay("gpus")


def _form() -> None:
    scenario = work.scenario_of(question.asked())
    if not scenario.gpus:
        shown.say("No option of this scenario uses machines.")
        return
    turn = st.session_state.round
    name = st.selectbox("Machine of this scenario", sorted(scenario.gpus), key=f"own machine {turn}")
    table = scenario.gpus[name]
    stands = {bound: rate.usd_per_gpu_hour[bound] for bound in table.commitments
              if (rate := _in_force(table, bound, scenario.start)) is not None}
    version = table.on(scenario.start, *list(stands)[:1])
    owned = {} if version.owned is None else dataclasses.asdict(version.owned)
    asked = {key: (WORDS[key], owned[key]) for key in OWN if key in owned} or {
        bound: (f"{bound.replace('_', ' ')}, USD a card and hour", usd) for bound, usd in stands.items()}
    keys = {key: f"own {name} {key} {turn}" for key in asked}
    with st.form("own machine"):
        shown.fields({keys[key]: (words, float(value)) for key, (words, value) in asked.items()})
        st.form_submit_button("Use in this session", on_click=_use, args=(table, version, keys))
    if owned.get("unverified"):
        names = "; ".join(WORDS[one].partition(",")[0] for one in owned["unverified"])
        shown.say(f"No source supports these figures, and Careful says so until you type others: {names}.")


def _use(table: GpuTable, version: GpuRate, keys: Mapping[str, str]) -> None:
    typed = {key: st.session_state[widget] for key, widget in keys.items()}
    terms = {key: value for key, value in dataclasses.asdict(version.terms).items() if value is not None}
    costs: dict[str, Any] = {"usd_per_gpu_hour": typed, "gpus_per_instance": version.gpus_per_instance}
    if version.owned is not None:
        owned = dataclasses.asdict(version.owned)
        doubted = [one for one in owned["unverified"] if typed[one] == owned[one]]
        costs = {"owned": {**owned, **typed, "unverified": doubted}}
    st.session_state.machines[table.id] = {"gpu": table.gpu, **costs, "terms": terms}


def _in_force(table: GpuTable, bound: Commitment, day: date) -> GpuRate | None:
    try:
        return table.on(day, bound)
    except TunepointError:
        return None


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """A row with its source in columns of their own."""
    source = told.pop("source")
    return {**told, "confidence": source["confidence"], "seen_on": source["seen_on"], "source": source["title"],
            "link": source["href"]}


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return quantity(value)
    return str(value)
