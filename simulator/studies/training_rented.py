"""What training on a data set costs on a rented GPU, by card: hours from the engine, dollars from the till."""

from __future__ import annotations

from datetime import date

from pricing.hardware import GpuTable, HardwareBook
from simulator.domain.fleet import Capacity, GpuTraining, GpuTrainingMethod
from simulator.domain.options import SelfHosted
from simulator.domain.scenario import Scenario
from simulator.domain.workload import Tokens, Workload
from simulator.run import run
from simulator.studies.training_cost import TrainingOffer

CARDS = ("rtx-4090", "a100-80gb", "h100")
"""A consumer's card and two of data centres, each in its cheapest form (PCIe, SXM, NVL). A choice of ours."""
METHODS: tuple[GpuTrainingMethod, ...] = ("qlora-unsloth", "lora-hf")
"""A fast one over weights of 4 bits, and the plain one over weights of 16. A choice of ours."""
LONG_ENOUGH = 3650
"""Days: a run that does not end within the horizon is not paid in it."""
MODEL = "llama-3.1-8b"
"""What is trained: the model of the shipped scenarios, which torchtune's README trains on the smallest card."""


def rented_training(
    hardware: HardwareBook, day: date, examples: int, tokens: float, model: str = MODEL
) -> list[TrainingOffer]:
    """One run by card and method at the cheapest verified on-demand rent of a single card, cheapest first.

    A run is `tokens x epochs / speed + set-up` GPU-hours; epochs and set-up are the defaults of a scenario.

    Args:
        hardware: rents, cards and models.
        day: the day the card is rented.
        examples: records of the data set.
        tokens: tokens of the data set.
        model: name of the model that is trained.
    """
    tables = [table for card in CARDS if (table := _cheapest(hardware, day, card)) is not None]
    found = [_offer(hardware, table, method, day, examples, tokens, model) for table in tables for method in METHODS]
    return sorted(found, key=lambda offer: (offer.usd, offer.price, offer.method))


def _cheapest(hardware: HardwareBook, day: date, card: str) -> GpuTable | None:
    """Where one card of a kind is rented alone for least, or None where no rent of it was verified by that day."""
    rents = {
        name: rate.usd_per_gpu_hour["on_demand"] for name, rate in hardware.on(day).items()
        if hardware.gpus[name].gpu.startswith(card) and rate.owned is None and rate.gpus_per_instance == 1
        and rate.source.confidence == "verified"
    }
    return hardware.gpus[min(rents, key=lambda name: (rents[name], name))] if rents else None


def _offer(
    hardware: HardwareBook, table: GpuTable, method: GpuTrainingMethod, day: date, examples: int, tokens: float,
    model: str,
) -> TrainingOffer:
    """The training line of years in which nothing else is asked of the card than one call a day."""
    training = GpuTraining(
        examples=examples, tokens_per_example=tokens / examples, gpu=table.id, model=model, method=method
    )
    scenario = Scenario(
        start=day, horizon_days=LONG_ENOUGH, baseline="run", bare=True,
        workload=Workload(calls_per_day=1.0, tokens=Tokens(input=1.0, output=1.0)),
        options={"run": SelfHosted(serving=Capacity(tokens_per_s=1.0), gpu=table.id, training=training)},
        gpus={table.id: table},
        models={model: hardware.model(model)},
        specs={table.gpu: hardware.spec(table.gpu)},
    )
    lines = [line for line in run(scenario, "run").ledger.lines if line.line == "training"]
    return TrainingOffer(
        price=table.id, method=method, epochs=training.epochs, tokens=tokens * training.epochs,
        usd=float(sum(line.usd.sum() for line in lines)), confidence=table.on(day).source.confidence,
        note=f"{model}, {training.set_up_minutes:g} min of set-up",
        gpu_hours=float(sum(line.quantity.sum() for line in lines)),
    )
