"""What tokens and machines cost, since when, and who says so; and a price of one's own for this session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import gpu_prices, pictures, question, shown, take, work
from dashboard.guard import guarded
from pricing.changes import Difference, between, differences, history, typed_anew, watch
from simulator import as_csv, charts, shipped_book
from simulator.cli import prices_plain
from simulator.formats import day as written
from simulator.formats import rate, retired_too

if TYPE_CHECKING:
    from pricing.book import PriceBook
    from pricing.table import PriceTable

METERS = ("input", "cached_input", "output")
STALE = timedelta(days=90)
ENDS = {"retires_on": "retires", "no_new_jobs_from": "takes no new training jobs",
        "no_new_customers_from": "takes no new customers"}
SERVICES = ("batch.", "flex.", "priority.")
KEPT = ("tiers.", "windows.")
"""Rates that a price of one's own takes over from the book."""
OTHERWISE = {
    "hosting_usd_per_hour": "hosting, USD an hour", "storage_usd_per_month": "storage, USD a month",
    "storage_usd_per_gb_month": "storage, USD a GB and month",
    "cache_storage_usd_per_mtok_hour": "storage of a cache, USD per million tokens and hour",
}
"""Rates that are not billed by the token, as a person says them."""
KINDS = ("Tokens and training", "GPUs and serving")


@st.fragment
def page() -> None:
    """The list, one price, what changed, what to look after, and an override."""
    shown.title("Prices", "What does it cost, since when, and who says so?")
    with guarded():  # what was typed wrong is taken back under My own price
        question.keep_in_address(question.asked())
    with guarded():
        kind = st.segmented_control("What is priced", KINDS, default=KINDS[0], key="kind", required=True,
                                    label_visibility="collapsed")
        if kind != KINDS[0]:
            gpu_prices.show()
            return
        listed, one, changed, ahead, own = st.tabs(
            ["All prices", "One price over time", "What changed", "Look after", "My own price"]
        )
        book = shipped_book()
        with listed, guarded():
            _list(book)
        with one, guarded():
            _one(book)
        with changed, guarded():
            _changed(book)
        with ahead, guarded():
            _ahead(book)
        with own, guarded():
            _own()


def _list(book: PriceBook) -> None:
    looked_for, on = st.columns([3, 1])
    words = looked_for.text_input("Search", placeholder="gpt mini", key="price search").lower().split()
    day = on.date_input("In force on", value="today", key="prices on")
    rows, retired, sold = [], 0, book.sold_on(day)
    for price, version in book.on(day).items():
        row = prices_plain.listed_row(book.table(price), version, day)
        row |= {"source": version.source.title, "link": version.source.href, "retires_on": _told(row["retires_on"])}
        if all(word in f"{price} {row['confidence']} {row['source']}".lower() for word in words):
            retired += price not in sold
            rows += [row] if price in sold else []
    shown.say(f"{len(rows)} prices in force on {written(day)}, USD per million tokens{retired_too(retired)}.")
    st.dataframe(
        rows, hide_index=True, height=560, key="price list", placeholder="",
        column_config={
            "link": st.column_config.LinkColumn("page", display_text=shown.HOST), "version": None,
            "age_days": "days since seen",
            "retires_on": "retires on", "effective": "since", "confidence": "how sure",
            **{meter: st.column_config.NumberColumn(meter.replace("_", " "), format="$%.4g") for meter in METERS},
        },
    )
    st.download_button("This table (CSV)", lambda: as_csv(rows) if rows else "", "prices.csv", "text/csv",
                       on_click="ignore")


def _one(book: PriceBook) -> None:
    ids = sorted(book.prices)
    used = [price for price in work.scenario_of(question.asked()).prices if price in book.prices]
    price = st.selectbox("Price", ids, ids.index(used[0]) if used else 0, key="price shown")
    table = book.table(price)
    figure = charts.price_over_time(table, max(date.today(), *(v.effective for v in table.versions)))
    pictures.show("price", figure)
    take.charts_of(price.replace("/", "-"), {"price": figure})
    shown.table(
        {"from": "w", "recorded": "w", "what": "w", "changed": "", "who says so": "", "how sure": "w"},
        [(str(step.version.effective), str(step.version.recorded), step.kind,
          _changes(step.differences), step.version.source.title, step.version.source.confidence)
         for step in history(table)],
    )
    source = table.versions[-1].source
    if source.href:
        st.link_button("Open the source", source.href)


def _changed(book: PriceBook) -> None:
    first, last = st.columns(2)
    from_day = first.date_input("From", value=date(2025, 1, 1), key="diff from")
    to_day = last.date_input("To", value="today", key="diff to")
    found = between(book, from_day, to_day)
    order = ("changed", "retired", "added")
    rows = sorted(prices_plain.between_rows(found), key=lambda row: order.index(row["event"]))
    counts = f"{len(found.added)} added, {len(found.changed)} changed, {len(found.retired)} retired"
    shown.say(f"From {written(from_day)} to {written(to_day)}: {counts}.")
    st.dataframe([{key: _told(cell) for key, cell in row.items()} for row in rows], hide_index=True, height=520,
                 key="price changes", placeholder="")


def _ahead(book: PriceBook) -> None:
    today = date.today()
    found = watch(book, today, STALE)
    shown.points("Known to end", [
        f"{written(one.day)}: {one.price} {ENDS[one.what]}" + (f"; then {one.successor}" if one.successor else "")
        for one in found.ending
    ])
    shown.points("Announced changes", [
        f"{written(step.version.effective)}: {step.price}: {_changes(step.differences)}" for step in found.announced
    ])
    old = [f"{price} ({age} days)" for price, age in found.stale.items()]
    shown.points(f"Seen more than {STALE.days} days ago", [", ".join(old)] if old else [])
    shown.points("Unverified, usable only where a scenario names them",
                 [", ".join(found.unverified)] if found.unverified else [])


def _own() -> None:
    """Rates typed for this session; the link and the saved scenario carry them."""
    with guarded():  # what was typed wrong is taken back below
        _form()
    for changed in list(st.session_state.rates):
        st.button(f"Back to the book: {changed}", on_click=_back, args=(changed,))
    question.unlay("prices")


def _form() -> None:
    asked = question.asked()
    bound = work.scenario_of(asked).prices
    if not bound:
        shown.say("This scenario pays for no tokens; its machines are under GPUs and serving.")
        return
    price = st.selectbox("Price of this scenario", sorted(bound), key=f"own price {st.session_state.round}")
    start = work.scenario_of(asked).start
    stands = {one.path: one.after for one in differences(None, bound[price].on(start)) if not one.path.startswith(KEPT)}
    services = [path for path in stands if path.startswith(SERVICES)]
    keys = {path: f"own {price} {path} {st.session_state.round}" for path in (*METERS, *stands)}
    for path, key in keys.items():  # a field that is told a number itself can not be emptied
        st.session_state.setdefault(key, stands.get(path))
    with st.form("own rates"):
        shown.fields({keys[path]: (_asked(path), None) for path in keys if path not in services})
        if services:
            with st.expander("Batch, flex and priority"):
                shown.fields({keys[path]: (_asked(path), None) for path in services})
        st.form_submit_button("Use in this session", on_click=_use, args=(bound[price], start, keys))
    shown.say("What is typed holds from the first day on, whatever is announced. Length tiers, daily windows, rules "
              "and dates stay as in the book; a rate left empty is not sold.")


def _asked(path: str) -> str:
    """A rate and its unit as a person says them.

    >>> _asked("batch.cache_write.300"), _asked("training.rft.usd_per_hour")
    ('batch cache write kept 300 s, USD per million tokens', 'training rft, USD an hour')
    """
    if path in OTHERWISE:
        return OTHERWISE[path]
    *above, last = path.split(".")
    if above[:1] == ["training"]:
        return f"{' '.join(above)}, {'USD an hour' if last == 'usd_per_hour' else 'USD per million tokens'}"
    words = [*above, f"kept {int(last):,} s" if last.isdigit() else last]
    return f"{' '.join(words).replace('_', ' ')}, USD per million tokens"


def _use(table: PriceTable, start: date, keys: Mapping[str, str]) -> None:
    typed = {path: st.session_state[key] for path, key in keys.items()}
    before = st.session_state.rates.get(table.id, {})
    st.session_state.rates[table.id] = before | typed_anew(table, start, typed)


def _back(price: str) -> None:
    """The price as in the book, in its fields too."""
    st.session_state.rates.pop(price)
    for key in [key for key in st.session_state if str(key).startswith(f"own {price} ")]:
        del st.session_state[key]


def _changes(found: Sequence[Difference]) -> str:
    """`cached input $0.20 to $0.40; output $5.00`: what is new has nothing before it."""
    return "; ".join(
        f"{one.path.replace('_', ' ').replace('.', ' ')} "
        + " to ".join(rate(value) if isinstance(value, float) else _told(value)
                      for value in (one.before, one.after) if value is not None) for one in found
    )


def _told(value: object) -> str:
    return "" if value is None else str(value)
