"""Rents of GPUs move as the tables of rents did: by their own history, on the lines of rent, not on cards one owns."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from command_line import tunepoint
from questions import asked, lines_of

from pricing.book import PriceBook
from pricing.hardware import GpuRate, GpuTable, HardwareBook, Ownership
from pricing.load_hardware import shipped_hardware
from pricing.table import Source
from simulator import charts, outlook_json
from simulator.domain.advice import Outlook
from simulator.domain.outlook import rent_drift
from simulator.run import run
from simulator.studies.outlook import index_paths, outlook

SEEN = Source(title="typed", seen_on=date(2026, 1, 1), confidence="verified")
CARD = "vast/rtx-4090"
QUESTION = f"""
start: 2027-01-01
horizon_days: 200
baseline: rented
workload: {{calls_per_day: 20000, tokens: {{input: 300, output: 60}}}}
prices:
  acme/big: {{usd_per_mtok: {{input: 1, output: 4}}}}
options:
  rented:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: {CARD}
    one_off_usd: {{build: 100}}
    fleet: {{replicas: {{min: 2, max: 2}}}}
  own:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: owned/rtx-4090
    fleet: {{replicas: {{min: 2, max: 2}}}}
  hosted: {{kind: hosted_prompt, price: acme/big}}
  both:
    kind: hybrid
    fleet_option: one-card
    overflow_option: hosted
    overflow_above: 1
  one-card:
    kind: self_hosted
    serving: vllm/rtx-4090/llama-3.1-8b/bf16
    gpu: {CARD}
    fleet: {{replicas: {{min: 1, max: 1}}}}
"""


def version(effective: date, recorded: date | None = None, **rents: float) -> GpuRate:
    return GpuRate(effective=effective, recorded=recorded or effective, source=SEEN, usd_per_gpu_hour=rents)  # type: ignore[arg-type]


def moving() -> GpuTable:
    """Two dollars, a correction of the same day, then half, then the double; spot sold from later on."""
    return GpuTable(id="acme/card", gpu="rtx-4090", versions=(
        version(date(2025, 1, 1), on_demand=1.9),
        version(date(2025, 1, 1), date(2025, 1, 9), on_demand=2.0),
        version(date(2025, 7, 1), on_demand=1.0, spot=0.5),
        version(date(2026, 7, 1), on_demand=2.0, spot=0.5),
    ))


def owned() -> GpuTable:
    card = Ownership(
        purchase_usd=2000, electricity_usd_per_kwh=0.2, idle_w=20, light_w=100, saturated_w=400, life_years=3
    )
    day = date(2025, 1, 1)
    return GpuTable(id="owned/card", gpu="rtx-4090", versions=(
        GpuRate(effective=day, recorded=day, source=SEEN, owned=card),
    ))


BOOK = HardwareBook(gpus={"acme/card": moving(), "owned/card": owned()})


def looked(folder: Path, book: HardwareBook, seed: int = 0, *flags: str) -> Outlook:
    return outlook(asked(folder, QUESTION, *flags), PriceBook(), hardware=book, waits=(2,), draws=400, seed=seed)


def test_history_counts_changes_and_no_corrections_for_each_commitment_by_hand() -> None:
    found = rent_drift((moving(), owned()), date(2027, 1, 1))
    assert (found.kind, found.commitment, found.tables) == ("gpu rents", "on_demand", 1)
    assert found.years == pytest.approx(2.0)                               # 730 days of one table
    assert found.changes == pytest.approx((math.log(0.5), math.log(2.0)))
    assert found.per_year == pytest.approx(1.0)
    spot = rent_drift((moving(),), date(2027, 1, 1), "spot")
    assert (spot.tables, spot.changes) == (1, ())
    assert spot.years == pytest.approx(549 / 365)                          # from 2025-07-01


def test_history_never_looks_ahead() -> None:
    assert rent_drift((moving(),), date(2026, 6, 30)).changes == pytest.approx((math.log(0.5),))
    assert rent_drift((moving(),), date(2025, 1, 5)).changes == ()
    assert rent_drift((moving(),), date(2024, 12, 31)).tables == 0
    late = dataclasses.replace(moving(), versions=(
        version(date(2025, 1, 1), on_demand=2.0), version(date(2025, 7, 1), date(2026, 7, 1), on_demand=1.0)
    ))
    assert rent_drift((late,), date(2026, 1, 1)).changes == ()             # in force by then, and nobody knew


def test_rent_follows_the_path_of_its_card_and_nothing_else_moves(tmp_path: Path) -> None:
    scenario, found = asked(tmp_path, QUESTION), looked(tmp_path, BOOK)
    path = index_paths(rent_drift((moving(),), scenario.start), CARD, 200, 400, 0)
    lines = lines_of(run(scenario, "rented"))
    assert lines.keys() == {"gpu", "gpu_idle", "build"}
    a_day = (lines["gpu"] + lines["gpu_idle"]) / 200
    ends = np.quantile(100 + a_day * path.sum(axis=1), (0.05, 0.5, 0.95))
    assert found.committed["rented"] == pytest.approx(ends, rel=1e-3)
    assert np.ptp(found.committed["rented"]) > 0
    for name in ("own", "hosted"):                                         # no table of tokens is in the book
        assert np.ptp(found.committed[name]) == 0
        assert found.expected_usd[name] == pytest.approx(sum(lines_of(run(scenario, name)).values()))


def test_a_hybrid_moves_with_the_rent_of_its_fleet_and_the_price_of_its_overflow(tmp_path: Path) -> None:
    scenario, found = asked(tmp_path, QUESTION), looked(tmp_path, BOOK)
    lines = lines_of(run(scenario, "both"))
    assert {"gpu", "input", "output"} <= lines.keys()
    drifting = rent_drift((moving(),), scenario.start)
    mean = float(index_paths(drifting, CARD, 200, 400, 0).sum(axis=1).mean()) / 200
    rent = lines["gpu"] + lines.get("gpu_idle", 0.0)
    rest = sum(lines.values()) - rent
    assert rest > 0
    assert found.expected_usd["both"] == pytest.approx(rent * mean + rest, rel=1e-6)


def test_a_typed_rent_moves_as_one_of_the_tables(tmp_path: Path) -> None:
    found = looked(tmp_path, BOOK, 0, "options.own.gpu_usd_per_hour=0.5")
    assert np.ptp(found.committed["own"]) > 0


def test_one_seed_is_one_outlook_and_another_is_another(tmp_path: Path) -> None:
    first, again, other = (looked(tmp_path, BOOK, seed) for seed in (1, 1, 2))
    assert outlook_json(first) == outlook_json(again)
    assert first.expected_usd["rented"] != other.expected_usd["rented"]
    assert first.expected_usd["own"] == other.expected_usd["own"]


def test_a_history_without_changes_moves_nothing_and_says_so(tmp_path: Path) -> None:
    still = dataclasses.replace(moving(), versions=moving().versions[1:2])
    found = looked(tmp_path, HardwareBook(gpus={"acme/card": still}))
    assert np.ptp(found.committed["rented"]) == 0
    assert any("GPU rents (on demand): none had changed by the start in 1 table and 2.0 table-years" in note
               for note in found.notes)


def test_a_short_history_is_told_with_its_numbers_and_a_long_one_is_not(tmp_path: Path) -> None:
    said = "GPU rents (on demand): 2 changes in 1 table and 2.0 table-years make a short history"
    assert any(note.startswith(said) for note in looked(tmp_path, BOOK).notes)
    months = [version(date(2026, month, 1), on_demand=float(month)) for month in range(1, 13)]
    book = HardwareBook(gpus={"acme/card": dataclasses.replace(moving(), versions=tuple(months))})
    assert not any("short history" in note for note in looked(tmp_path, book).notes)


def test_answer_sentence_and_picture_name_both_histories(tmp_path: Path) -> None:
    (tmp_path / "question.yaml").write_text(QUESTION, "utf-8")
    told = tunepoint("outlook", tmp_path / "question.yaml", "--wait", "2", "--json").json
    tokens, rents = told["drift"]
    shipped = rent_drift(tuple(shipped_hardware().gpus.values()), date(2027, 1, 1))
    assert (tokens["kind"], rents["kind"], rents["commitment"]) == ("tokens", "gpu rents", "on_demand")
    assert rents["log_changes"] == pytest.approx(shipped.changes)
    said = tunepoint("outlook", tmp_path / "question.yaml", "--wait", "2").out
    assert all(name in " ".join(said.split()) for name in ("Token prices in the tables", "GPU rents (on demand)"))
    seen = looked(tmp_path, BOOK)
    layout = charts.outlook(seen).to_dict()["layout"]
    written = " ".join(words["text"] for words in layout["annotations"]).replace("<br>", " ")
    assert "Token prices in the tables never changed; GPU rents (on demand) changed 1.00 times a year" in written
    choice = layout["title"]["subtitle"]["text"].replace("<br>", " ").replace("&#36;", "$")
    assert f"{seen.history} {choice}" == seen.sentence


def test_rents_that_nearly_all_moved_one_way_are_said_to_lean(tmp_path: Path) -> None:
    """A rise of a tenth every month of a year: 11 changes in a table-year, so `exp(11 x 0.1) - 1`, 200 % a year."""
    def monthly(factor: float) -> HardwareBook:
        rents = [version(date(2026, month, 1), on_demand=2.0 * factor ** (month - 1)) for month in range(1, 13)]
        return HardwareBook(gpus={"acme/card": dataclasses.replace(moving(), versions=tuple(rents))})

    (note,) = (note for note in looked(tmp_path, monthly(1.1)).notes if "lean" in note)
    assert "11 of the 11 known changes are rises, so rents lean upwards here, by 200 % a year" in note
    (note,) = (note for note in looked(tmp_path, monthly(0.9)).notes if "lean" in note)
    assert "11 of the 11 known changes are falls, so rents lean downwards here, by 67 % a year" in note
    assert not any("lean" in note for note in looked(tmp_path, BOOK).notes)   # one fall, one rise
