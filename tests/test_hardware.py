"""The hardware book says what its sources said, and what follows from shapes is computed, not typed.

`data/prices/gpu_facts.csv` and `model_facts.csv` are the tidy form of the research the files were written from.
"""

from __future__ import annotations

import csv
import dataclasses
from datetime import date, timedelta
from pathlib import Path

import pytest

from pricing.errors import InputError, NotInForce
from pricing.hardware import GpuRate, GpuTable, HardwareBook, ModelSpec, Ownership
from pricing.load import TABLES
from pricing.load_hardware import gpu_table, read_gpus, read_models, read_specs, shipped_hardware
from pricing.table import Source
from pricing.yaml12 import parse_yaml

COMPILED = date(2026, 11, 23)
DATA = Path(__file__).parent / "data" / "prices"


@pytest.fixture(scope="module")
def book() -> HardwareBook:
    return shipped_hardware()


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# --- the shipped files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("gpu_facts.csv"), ids=lambda r: f"{r['row']}-{r['id']}-{r['commitment']}")
def test_the_book_holds_every_rent_of_the_research(row: dict[str, str], book: HardwareBook) -> None:
    commitment = row["commitment"]
    version = book.table(row["id"]).on(date.fromisoformat(row["day"]), commitment)  # type: ignore[arg-type]
    assert version.usd_per_gpu_hour[commitment] == float(row["usd_per_gpu_hour"])  # type: ignore[index]
    assert version.source.confidence == row["confidence"]


def test_the_research_has_91_rents_and_15_gpus_and_13_models(book: HardwareBook) -> None:
    assert len(rows("gpu_facts.csv")) == 91
    assert len(book.specs) == 15
    assert len(book.models) == len(rows("model_facts.csv")) == 13
    sold = {(row["id"], row["commitment"]) for row in rows("gpu_facts.csv")}
    held = {(name, commitment) for name, table in book.gpus.items() for commitment in table.commitments}
    assert held == sold


def test_every_price_names_a_gpu_and_all_but_three_have_a_spec(book: HardwareBook) -> None:
    unknown = {table.gpu for table in book.gpus.values()} - set(book.specs)
    assert unknown == {"a10", "t4", "gh200-96gb"}


def test_every_file_is_named_after_its_provider_and_nothing_is_newer_than_the_research() -> None:
    for path in (TABLES / "gpus").glob("*.yaml"):
        if path.stem == "specs":
            continue
        for name, table in read_gpus(path).items():
            assert name.partition("/")[0] == path.stem
            assert all(max(v.recorded, v.source.seen_on) <= COMPILED for v in table.versions), name


@pytest.mark.parametrize(("name", "steps"), [
    ("runpod-secure/a100-80gb-pcie", {"2026-08-19": 1.39, "2026-09-25": 1.59, "2026-11-09": 1.79}),
    ("runpod-secure/h100-sxm", {"2026-08-19": 3.29, "2026-10-07": 3.49, "2026-10-19": 3.99, "2026-11-09": 3.99}),
    ("runpod-secure/rtx-4090", {"2026-03-10": 0.60, "2026-05-27": 0.69, "2026-09-25": 0.74}),
    ("lambda/h100-sxm", {"2026-05-07": 3.78, "2026-09-25": 4.29}),
    ("vast/a100-80gb-sxm", {"2026-10-28": 1.1378, "2026-10-29": 1.70}),
])
def test_rents_rose_in_2026(name: str, steps: dict[str, float], book: HardwareBook) -> None:
    table = book.table(name)
    assert {day: table.known_on(date.fromisoformat(day)).usd_per_gpu_hour["on_demand"] for day in steps} == steps


def test_an_owned_card_marks_every_figure_no_source_supports(book: HardwareBook) -> None:
    owned = book.table("owned/rtx-4090").on(COMPILED).owned
    assert owned is not None
    assert (owned.purchase_usd, owned.electricity_usd_per_kwh) == (1599, 0.1648)
    sourced = {"purchase_usd", "electricity_usd_per_kwh"}
    assert {field.name for field in dataclasses.fields(owned)} - sourced - {"unverified"} == set(owned.unverified)


def test_billing_is_by_the_second_or_the_minute_where_the_provider_says_so(book: HardwareBook) -> None:
    terms = {name: version.terms for name, version in book.on(COMPILED).items()}
    assert terms["aws/h100-sxm"].billed_s(10) == 60
    assert terms["runpod-secure/rtx-4090"].billed_s(10.2) == 11
    assert terms["lambda/h100-sxm"].billed_s(61) == 120
    assert terms["nebius/h100-sxm"].granularity_s is None
    assert terms["nebius/h100-sxm"].billed_s(61.5) == 61.5


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("model_facts.csv"), ids=lambda r: r["model"])
def test_kv_bytes_follow_from_the_shapes(row: dict[str, str], book: HardwareBook) -> None:
    model = book.model(row["model"])
    assert model.kv_bytes_per_token() == int(row["kv_bytes"])
    assert model.kv_bytes_beyond_window() == int(row["kv_bytes_beyond_window"])
    assert model.kv_bytes_per_token(bytes_per_value=1) == int(row["kv_bytes"]) / 2


@pytest.mark.parametrize("row", rows("model_facts.csv"), ids=lambda r: r["model"])
def test_parameters_agree_with_the_published_count(row: dict[str, str], book: HardwareBook) -> None:
    """Gemma-3-12B is published with its vision tower of about 0.4 billion, which serves no text."""
    model, tower = book.model(row["model"]), 0.44 if row["model"] == "gemma-3-12b" else 0
    assert model.params_b + tower == pytest.approx(float(row["total_params_b"]), abs=0.01)
    assert model.active_params_b + tower == pytest.approx(float(row["active_params_b"]), abs=0.01)


def test_a_windowed_layer_holds_its_window_and_no_more(book: HardwareBook) -> None:
    gemma = book.model("gemma-2-9b")
    assert gemma.kv_bytes(4096) == 4096 * 344_064
    assert gemma.kv_bytes(8192) - gemma.kv_bytes(4096) == 4096 * 172_032
    llama = book.model("llama-3.1-8b")
    assert llama.kv_bytes(100_000) == 100_000 * 131_072


def test_experts_hold_what_a_token_does_not_touch(book: HardwareBook) -> None:
    """gpt-oss-20b: 32 experts, 4 active; all experts at once must give the whole model back."""
    model = book.model("gpt-oss-20b")
    dense = model.active_params_b - model.expert_params_b * 4 / 32
    assert dense + model.expert_params_b == pytest.approx(model.params_b)
    assert book.model("llama-3.1-8b").expert_params_b == 0


# --- by hand --------------------------------------------------------------------------------------------------------


JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def rate(effective: date, recorded: date, seen_on: date = JAN, **usd: float) -> GpuRate:
    source = Source(title="made by hand", seen_on=seen_on, confidence="reported")
    return GpuRate(effective=effective, recorded=recorded, source=source, usd_per_gpu_hour=usd)  # type: ignore[arg-type]


HAND = GpuTable(id="mine/gpu", gpu="gpu", versions=(
    rate(JAN, JAN, on_demand=2, spot=1), rate(FEB, FEB, on_demand=3), rate(FEB, MAR, on_demand=4)))


def test_each_commitment_has_a_history_of_its_own() -> None:
    assert HAND.on(FEB).usd_per_gpu_hour == {"on_demand": 4}
    assert HAND.known_on(FEB).usd_per_gpu_hour == {"on_demand": 3}
    assert HAND.on(MAR, "spot").usd_per_gpu_hour["spot"] == 1
    with pytest.raises(NotInForce, match='"mine/gpu" has no serverless price on 2026-03-01; it has on_demand, spot'):
        HAND.on(MAR, "serverless")


def test_the_book_leaves_out_what_is_not_sold_that_way_and_tells_age_by_the_freshest_price() -> None:
    old = GpuTable(id="mine/old", gpu="old", versions=(rate(JAN, JAN, on_demand=2),))
    book = HardwareBook(gpus={"mine/gpu": HAND, "mine/old": old})
    assert set(book.on(MAR)) == {"mine/gpu", "mine/old"}
    assert set(book.on(MAR, "spot")) == {"mine/gpu"}
    assert book.known_on(FEB)["mine/gpu"].usd_per_gpu_hour == {"on_demand": 3}
    assert book.stale(MAR, timedelta(days=58)) == {"mine/gpu": 59, "mine/old": 59}
    fresh = dataclasses.replace(HAND, versions=(*HAND.versions, rate(MAR, MAR, seen_on=MAR, on_demand=5)))
    assert HardwareBook(gpus={"mine/gpu": fresh}).stale(MAR, timedelta(days=0)) == {}
    assert book.digest != HardwareBook().digest


@pytest.mark.parametrize(("ask", "sentence"), [
    (lambda book: book.table("vast/a100-80gb-sx"),
     'no GPU price "vast/a100-80gb-sx"; did you mean "vast/a100-80gb-sxm"?'),
    (lambda book: book.spec("rtx-4080"), 'no GPU spec "rtx-4080"; did you mean "rtx-4090"?'),
    (lambda book: book.model("llama-3.1-9b"), 'no model spec "llama-3.1-9b"; did you mean "llama-3.1-8b"?'),
])
def test_a_misspelt_name_is_told_the_nearest(ask: object, sentence: str, book: HardwareBook) -> None:
    with pytest.raises(InputError) as caught:
        ask(book)  # type: ignore[operator]
    assert str(caught.value) == sentence


GOOD = "{effective: 2026-01-01, recorded: 2026-01-01, source: {title: x, seen_on: 2026-01-01, confidence: reported}, "


@pytest.mark.parametrize(("version", "part"), [
    (GOOD + "usd_per_gpu_hour: {on_demand: 0}}", "usd_per_gpu_hour.on_demand: 0.0; it must be above zero"),
    (GOOD + "usd_per_gpu_hour: {on_demnd: 1}}", 'on_demnd" is not one of'),
    (GOOD + "usd_per_gpu_hour: {}}", "give one of usd_per_gpu_hour and owned"),
    (GOOD + "usd_per_gpu_hour: {on_demand: 1}, gpu_per_instance: 8}", 'did you mean "gpus_per_instance"?'),
    (GOOD + "usd_per_gpu_hour: {on_demand: 1}, terms: {granularity_s: 0}}", "terms.granularity_s: 0; it must be above"),
])
def test_a_bad_price_has_its_sentence(version: str, part: str) -> None:
    document = parse_yaml(f"a/b: {{versions: [{version}]}}", "mine.yaml")
    with pytest.raises(InputError) as caught:
        gpu_table("a/b", document.value["a/b"], document, ("a/b",))
    assert part in str(caught.value)
    assert str(caught.value).startswith("mine.yaml:1: a/b")


def test_a_file_of_the_wrong_kind_says_what_it_should_hold(tmp_path: Path) -> None:
    kinds = ((read_gpus, "`provider:` and `tables:`"), (read_specs, "`specs:`"), (read_models, "`models:`"))
    for read, wanted in kinds:
        with pytest.raises(InputError, match=f"holds {wanted}"):
            read(written("some: thing\n", tmp_path / "x.yaml"))
    with pytest.raises(InputError, match=r"x.yaml:2: tabels: unknown key; known here: provider, tables"):
        read_gpus(written("provider: a\ntabels: {}\ntables: {}\n", tmp_path / "x.yaml"))
    with pytest.raises(InputError, match=r"x.yaml:1: specs: expected entries by name"):
        read_specs(written("specs: [1]\n", tmp_path / "x.yaml"))


def model(**changes: object) -> ModelSpec:
    source = Source(title="made by hand", seen_on=JAN, confidence="reported")
    small = ModelSpec(hf_id="a/b", params_b=1, active_params_b=1, matmul_params_b=1, layers=2, hidden=8, ffn=8, heads=2,
                      kv_heads=1, head_dim=4, vocab=10, max_context=100, weights_gb=2, source=source)
    return dataclasses.replace(small, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"layers": 0}, "layers is 0; it must be above zero"),
    ({"windowed_layers": 3, "window": 4}, "windowed_layers is 3; the model has 2 layers"),
    ({"windowed_layers": 1}, "give window and windowed_layers together"),
    ({"active_experts": 2}, "active_experts is 2; the model has 1 experts"),
])
def test_shapes_that_cannot_be_are_refused(changes: dict[str, object], sentence: str) -> None:
    assert model().kv_bytes_per_token() == 2 * 2 * 1 * 4 * 2
    with pytest.raises(ValueError, match=sentence):
        model(**changes)


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"light_w": 500}, "it must rise from idle to light to saturated"), ({"pue": 0.9}, "pue is 0.9"),
    ({"unverified": ("lifetime",)}, 'unverified names "lifetime"'), ({"life_years": 0}, "life_years is 0"),
    ({"purchase_usd": -1}, "purchase_usd is -1; it cannot be below zero"),
])
def test_ownership_that_cannot_be_is_refused(changes: dict[str, object], sentence: str) -> None:
    fair = Ownership(purchase_usd=1, electricity_usd_per_kwh=0.1, idle_w=1, light_w=2, saturated_w=3, life_years=3)
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(fair, **changes)  # type: ignore[arg-type]
