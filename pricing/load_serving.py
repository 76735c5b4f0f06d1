"""Serving files to profiles, and a serving id to the replica it means: measured, or derived and marked so."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pricing.errors import InputError
from pricing.hardware import GpuSpec, ModelSpec
from pricing.load import TABLES
from pricing.load_checked import checked
from pricing.load_hardware import shipped_models, shipped_specs
from pricing.nearest import nearest
from pricing.serving import ProfileName, Replica, ServingProfile, profile_name, spread_over
from pricing.table import ALWAYS
from pricing.yaml12 import Document, Place, read_yaml

FAST_CARD_GB = 80.0
"""vLLM serves 1,024 sequences and 8,192 tokens a step on cards from this size on (of Hopper and later), else its
older 256 and 2,048; A100s keep the older ones (engine defaults of 0.8 to 0.11)."""
OLDER = ("Ampere", "Ada")
EXAMPLE = "vllm/rtx-4090/my-model/bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Profiles of one engine by `gpu/model/precision`, and what a card takes that nobody measured."""

    engine: str
    default: ServingProfile
    profiles: Mapping[str, ServingProfile] = field(default_factory=dict)


def read_serving(path: Path) -> Serving:
    """Read a serving file: `engine:`, `default:`, then `profiles:` by `gpu/model/precision`.

    Raises:
        InputError: with file, line, key, value and remedy.
    """
    document = read_yaml(path, path.name)
    value = document.value
    wanted = {"engine", "default", "profiles"}
    if not isinstance(value, dict) or not wanted <= set(value) or set(value) - wanted - {"shared", "note"}:
        raise InputError(f"{document.name}: a serving file holds `engine:`, `default:` and `profiles:`")
    entries = value["profiles"]
    if not isinstance(entries, dict):
        raise InputError(f"{document.where(('profiles',))}: expected profiles by gpu/model/precision")
    return Serving(
        engine=str(value["engine"]),
        default=checked(ServingProfile, value["default"], document, ("default",)),
        profiles={str(name): checked(ServingProfile, entry, document, ("profiles", name))
                  for name, entry in entries.items()},
    )


@functools.lru_cache(maxsize=1)
def shipped_serving() -> Mapping[str, Serving]:
    """The shipped engines by name."""
    found = (read_serving(path) for path in sorted((TABLES / "serving").glob("*.yaml")))
    return {serving.engine: serving for serving in found}


def inline_profiles(value: Any, document: Document, place: Place) -> dict[str, ServingProfile]:
    """Profiles typed into a scenario or a file of one's own, by serving id."""
    if not isinstance(value, dict):
        raise InputError(f"{document.where(place)}: expected profiles by id, as in {EXAMPLE}: {{...}}")
    found = {}
    for name, entry in value.items():
        here = (*place, name)
        try:
            asked = profile_name(str(name))
        except InputError as error:
            raise InputError(f"{document.where(here)}: {error}") from None
        found[str(name)] = typed_profile(asked, entry, document, here)
    return found


def typed_profile(asked: ProfileName, entry: Any, document: Document, place: Place) -> ServingProfile:
    """A profile of one's own: what is not typed is taken from the shipped or derived one of its card."""
    if not isinstance(entry, dict):
        raise InputError(f"{document.where(place)}: expected parameters, as in {{mbu: 0.85, kv_tokens: 41408}}")
    base = derived(asked, shipped_specs().get(asked.gpu))[0]
    if "like" in entry:
        entry = {**_copied(asked, entry, document, place), **{k: v for k, v in entry.items() if k != "like"}}
    kept = {f.name: getattr(base, f.name) for f in dataclasses.fields(base) if f.name not in entry}
    source = {"title": f"typed in {Path(document.name).name}", "seen_on": ALWAYS.isoformat(), "confidence": "reported"}
    needed = {name: kept[name] for name in ("step_overhead_s", "mbu", "mfu", "per_sequence_s") if name in kept}
    typed = checked(ServingProfile, {"source": source, **needed, **entry}, document, place)
    rest = {name: kept[name] for name in ("max_num_seqs", "max_num_batched_tokens") if name in kept}
    return dataclasses.replace(typed, gpus_per_replica=entry.get("gpus_per_replica", asked.gpus), **rest)


def _copied(asked: ProfileName, entry: Mapping[str, Any], document: Document, place: Place) -> dict[str, Any]:
    """Parameters of the profile that `like` names, over the cards asked for.

    KV tokens that an engine reported are kept for the same model on the same card only, else they are counted.
    """
    try:
        other = profile_name(str(entry["like"]))
        profile = derived(dataclasses.replace(other, gpus=1), shipped_specs().get(other.gpu))[0]
    except InputError as error:
        raise InputError(f"{document.where((*place, 'like'))}: {error}") from None
    if (other.gpu, other.model, other.precision) != (asked.gpu, asked.model, asked.precision):
        profile = dataclasses.replace(profile, kv_tokens=None)
    if (card := shipped_specs().get(asked.gpu)) is not None:
        profile = spread_over(profile, asked, card)
    names = {f.name for f in dataclasses.fields(profile)} - {"source", "points", "error_share"}
    return {name: getattr(profile, name) for name in names}


def derived(asked: ProfileName, gpu: GpuSpec | None) -> tuple[ServingProfile, bool]:
    """The profile of a name and whether exactly this pair was measured.

    A model that was not measured takes the parameters of its card in this precision, then of its card, then the
    engine's default; KV tokens are then counted, and the profile is `estimated`.

    Raises:
        InputError: the engine is not known.
    """
    engines = shipped_serving()
    if asked.engine not in engines:
        raise InputError(f'no serving engine "{asked.engine}"{nearest(asked.engine, engines)}')
    serving = engines[asked.engine]
    exact = serving.profiles.get(f"{asked.gpu}/{asked.model}/{asked.precision}")
    if exact is not None and asked.gpus == 1:
        return exact, exact.source.confidence != "estimated"
    same = [(name, profile) for name, profile in serving.profiles.items() if name.startswith(f"{asked.gpu}/")]
    same.sort(key=lambda item: not item[0].endswith(f"/{asked.precision}"))
    whose, profile = same[0] if same else ("the engine's default", serving.default)
    source = dataclasses.replace(
        profile.source, confidence="estimated", note=f"derived from {whose}: {profile.source.title}"
    )
    profile = dataclasses.replace(profile, source=source, kv_tokens=None, points=0, error_share=None)
    fast = gpu is not None and gpu.memory_gb >= FAST_CARD_GB and not gpu.architecture.startswith(OLDER)
    if asked.engine == "vllm" and fast and not same:
        profile = dataclasses.replace(profile, max_num_seqs=1024, max_num_batched_tokens=8192)
    return (profile if gpu is None else spread_over(profile, asked, gpu)), False


def bound_replica(
    serving_id: str,
    profiles: Mapping[str, ServingProfile] | None = None,
    specs: Mapping[str, GpuSpec] | None = None,
    models: Mapping[str, ModelSpec] | None = None,
) -> Replica:
    """Bind a serving id to profile, GPU and model, typed ones before shipped ones.

    Args:
        serving_id: `engine/gpu/model/precision[/tpN]`.
        profiles: typed profiles by id.
        specs: GPU specs by name (default: the shipped ones).
        models: typed model specs by name.

    Raises:
        InputError: no such engine, GPU or model (the nearest is named), or the model does not fit, with the arithmetic.
    """
    asked = profile_name(serving_id)
    cards, shapes = {**shipped_specs(), **(specs or {})}, {**shipped_models(), **(models or {})}
    if asked.gpu not in cards:
        raise InputError(f'"{serving_id}": no GPU spec "{asked.gpu}"{nearest(asked.gpu, cards)}')
    if asked.model not in shapes:
        raise InputError(f'"{serving_id}": no model spec "{asked.model}"{nearest(asked.model, shapes)}')
    typed = (profiles or {}).get(serving_id)
    profile, measured = (typed, False) if typed is not None else derived(asked, cards[asked.gpu])
    try:
        return Replica(
            id=serving_id,
            gpu_name=asked.gpu,
            model_name=asked.model,
            precision=asked.precision,
            profile=profile,
            gpu=cards[asked.gpu],
            model=shapes[asked.model],
            measured=measured,
        )
    except ValueError as error:
        raise InputError(f'"{serving_id}": {error}') from None
