"""Binds what a scenario says of machines: serving ids to replicas, GPU ids to dated rates, training cards to specs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pricing.errors import InputError, NotInForce
from pricing.hardware import GpuRate, GpuTable, ModelSpec
from pricing.load_checked import checked
from pricing.load_hardware import gpu_table, provider_gpus, shipped_hardware, shipped_models, shipped_specs
from pricing.load_serving import bound_replica, inline_profiles, typed_profile
from pricing.nearest import nearest
from pricing.serving import Replica, profile_name
from pricing.table import ALWAYS
from pricing.yaml12 import Document, Place, read_yaml
from simulator.domain.fleet import GpuTraining, why_untrainable
from simulator.domain.options import SelfHosted, ServingOption

EXAMPLE_ID = "vllm/rtx-4090/llama-3.1-8b/bf16"


def bound_hardware(
    options: Mapping[str, ServingOption], inline: Mapping[str, Any], document: Document, start: date
) -> dict[str, Any]:
    """The fields `gpus`, `models`, `serving` and `specs` of a scenario: all that its options name, and no more.

    Args:
        options: by name.
        inline: the scenario's own `gpus:`, `models:` and `serving:`.
        document: the scenario file.
        start: the first day, on which every GPU has a price.

    Raises:
        InputError: no such GPU, model, engine or profile, or a model that does not fit.
        NotInForce: a GPU without a price on `start`.
    """
    fleets = {name: option for name, option in options.items() if isinstance(option, SelfHosted)}
    typed_models = _typed_models(inline["models"], document)
    typed_profiles = inline_profiles(inline["serving"] or {}, document, ("serving",))
    typed_gpus = _typed_gpus(inline["gpus"], document)
    gpus: dict[str, GpuTable] = {}
    replicas, models, specs = {}, {}, {}
    for name, fleet in fleets.items():
        for gpu, commitment, place in _rented(name, fleet):
            gpus[gpu] = _found(gpu, typed_gpus, document, place)
            try:
                gpus[gpu].on(start, commitment)  # type: ignore[arg-type]
            except NotInForce as error:
                raise NotInForce(f"{document.where(place)}: {error}") from None
        if isinstance(fleet.serving, str):
            place = ("options", name, "serving")
            try:
                replicas[fleet.serving] = bound_replica(fleet.serving, typed_profiles, None, typed_models)
            except InputError as error:
                raise InputError(f"{document.where(place)}: {error}") from None
            if fleet.gpu is not None:
                _check_card(replicas[fleet.serving], gpus[fleet.gpu], typed_gpus, document, place)
        if fleet.training is not None and _needs_shapes(fleet.training):
            model, card = _trained(name, fleet, gpus, typed_models, document)
            models[model[0]], specs[card] = model[1], shipped_specs()[card]
    return {"gpus": gpus, "models": models, "serving": replicas, "specs": specs}


def _check_card(
    replica: Replica, table: GpuTable, typed: Mapping[str, GpuTable], document: Document, place: Place
) -> None:
    """Refuse a profile of another card than is paid for; a typed price whose card has no spec may be of any."""
    unknown = table.id in typed and table.gpu not in shipped_specs()
    if table.gpu == replica.gpu_name or unknown:
        return
    raise InputError(
        f'{document.where(place)}: "{replica.id}" runs on {replica.gpu_name}, but gpu "{table.id}" is {table.gpu}; '
        "name a profile and a price of one card"
    )


def read_replica(name: str) -> Replica:
    """The replica of a serving id, or of a file that holds `serving: ID` and parameters of one's own beside it.

    Raises:
        InputError: no such file, engine, GPU or model, a parameter that cannot be, or a model that does not fit.
    """
    if not name.endswith((".yaml", ".yml")):
        return bound_replica(name)
    path = Path(name)
    if not path.exists():
        raise InputError(f"{name}: there is no such file; name a profile file or an id like {EXAMPLE_ID}")
    document = read_yaml(path)
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("serving"), str):
        raise InputError(f"{name}: a profile begins with `serving: engine/gpu/model/precision`, as in {EXAMPLE_ID}")
    own = {key: inner for key, inner in value.items() if key not in ("serving", "models")}
    try:
        profile = typed_profile(profile_name(value["serving"]), own, document, ())
        models = _typed_models(value.get("models"), document)
        return bound_replica(value["serving"], {value["serving"]: profile}, None, models)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(name) else f"{name}: {text}") from None


def _needs_shapes(training: GpuTraining) -> bool:
    sized_in_tokens = training.tokens is not None or training.examples is not None
    return sized_in_tokens and training.tokens_per_s is None


def trained_model(option: SelfHosted) -> str | None:
    """The model that a fleet's option trains: the typed one, else the one it serves."""
    typed = option.training.model if option.training else None
    return typed or (option.serving.split("/")[2] if isinstance(option.serving, str) else None)


def _trained(
    name: str, option: SelfHosted, gpus: Mapping[str, GpuTable], typed: Mapping[str, ModelSpec], document: Document
) -> tuple[tuple[str, ModelSpec], str]:
    """The model and the card of a training campaign whose time is computed from tokens."""
    here: Place = ("options", name, "training")
    model = trained_model(option)
    known = {**shipped_models(), **typed}
    if model is None:
        raise InputError(
            f"{document.where((*here, 'model'))}: is missing; name the model that is trained, or type tokens_per_s"
        )
    if model not in known:
        raise InputError(f'{document.where((*here, "model"))}: no model spec "{model}"{nearest(model, known)}')
    training = option.training
    if training is None or training.gpu is None:
        raise InputError(f"{document.where((*here, 'gpu'))}: is missing; name the card, or type tokens_per_s")
    card = gpus[training.gpu].gpu
    if card not in shipped_specs():
        raise InputError(
            f'{document.where((*here, "gpu"))}: no GPU spec "{card}"{nearest(card, shipped_specs())}'
        )
    if reason := why_untrainable(training.method, model, known[model], card, shipped_specs()[card]):
        raise InputError(f"{document.where((*here, 'gpu'))}: {reason}")
    return (model, known[model]), card


def _rented(name: str, option: SelfHosted) -> Iterator[tuple[str, str, Place]]:
    here: Place = ("options", name)
    if option.gpu is not None:
        yield option.gpu, option.commitment, (*here, "gpu")
    if option.training is not None and option.training.gpu is not None:
        yield option.training.gpu, option.training.commitment, (*here, "training", "gpu")


def _found(gpu: str, typed: Mapping[str, GpuTable], document: Document, place: Place) -> GpuTable:
    if gpu in typed:
        return typed[gpu]
    tables = provider_gpus(gpu.partition("/")[0])
    if gpu in tables:
        return tables[gpu]
    ids = [*shipped_hardware().gpus, *typed]
    raise InputError(f'{document.where(place)}: no GPU price "{gpu}"{nearest(gpu, ids)}')


def _typed_models(inline: Any, document: Document) -> dict[str, ModelSpec]:
    found: dict[str, ModelSpec] = {}
    for name, entry in _entries(inline, document, "models", "my-model: {like: llama-3.1-8b, ...}"):
        place: Place = ("models", name)
        known = {**shipped_models(), **found}
        if "like" in entry:
            model = str(entry["like"])
            if model not in known:
                raise InputError(
                    f'{document.where((*place, "like"))}: no model spec "{model}"{nearest(model, known)}'
                )
            copied = {key: getattr(known[model], key) for key in ModelSpec.__slots__ if key != "source"}
            entry = {**copied, **{key: value for key, value in entry.items() if key != "like"}}
        found[name] = checked(ModelSpec, {"source": _source(document), **entry}, document, place)
    return found


def _typed_gpus(inline: Any, document: Document) -> dict[str, GpuTable]:
    found: dict[str, GpuTable] = {}
    for name, entry in _entries(inline, document, "gpus", "mine/rtx-4090: {usd_per_gpu_hour: {on_demand: 0.5}}"):
        place: Place = ("gpus", name)
        if "/" not in name:
            raise InputError(f"{document.where(place)}: a GPU id is provider/gpu, as in mine/{name}")
        if "versions" in entry:
            found[name] = gpu_table(name, entry, document, place)
            continue
        dates = {"effective": ALWAYS.isoformat(), "recorded": ALWAYS.isoformat(), "source": _source(document)}
        own = {key: value for key, value in entry.items() if key not in ("gpu", "like")}
        gpu = name.rpartition("/")[2]
        if "like" in entry:
            copied = _found(str(entry["like"]), found, document, (*place, "like"))
            gpu, own = copied.gpu, {**_terms(copied.versions[-1], own), **own}
        rate = checked(GpuRate, {**dates, **own}, document, place)
        found[name] = GpuTable(id=name, gpu=str(entry.get("gpu", gpu)), versions=(rate,))
    return found


def _terms(rate: GpuRate, own: Mapping[Any, Any]) -> dict[str, Any]:
    """What a copy takes over; who types a rent owns no longer, and the other way round."""
    paid = ("usd_per_gpu_hour", "owned")
    left = ("effective", "recorded", "source", *(paid if any(key in own for key in paid) else ()))
    return {key: value for key, value in dataclasses.asdict(rate).items() if key not in left and value is not None}


def _entries(inline: Any, document: Document, key: str, example: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    if not inline:
        return
    if not isinstance(inline, dict):
        raise InputError(f"{document.where((key,))}: expected entries by name, as in {example}")
    for name, entry in inline.items():
        if not isinstance(entry, dict):
            raise InputError(f"{document.where((key, name))}: expected keys and values, as in {example}")
        yield str(name), entry


def _source(document: Document) -> dict[str, Any]:
    return {"title": f"typed in {Path(document.name).name}", "seen_on": ALWAYS.isoformat(), "confidence": "reported"}
