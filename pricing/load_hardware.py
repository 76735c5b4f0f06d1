"""Hardware files to objects: GPU prices by provider, GPU specs, and models; as strict as the price files."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pricing.errors import InputError
from pricing.hardware import GpuRate, GpuSpec, GpuTable, HardwareBook, ModelSpec
from pricing.load import TABLES
from pricing.load_checked import checked
from pricing.table import STRICT
from pricing.yaml12 import Document, Place, read_yaml

T = TypeVar("T")
SPECS = TABLES / "gpus" / "specs.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One table of a GPU price file; `gpu` names the spec where it is not the table's own name."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    versions: tuple[GpuRate, ...]
    gpu: str | None = None


def gpu_table(name: str, entry: Any, document: Document, place: Place) -> GpuTable:
    """One GPU price from plain values, as a file or a scenario holds it.

    Args:
        name: its id, `provider/gpu`.
        entry: `{versions: [...], gpu: ...}`.
        document: where it came from.
        place: where it stands there.
    """
    read = checked(_Entry, entry, document, place)
    try:
        return GpuTable(id=name, gpu=read.gpu or name.rpartition("/")[2], versions=read.versions)
    except ValueError as error:
        raise InputError(f"{document.where(place)}: {error}") from None


def read_gpus(path: Path) -> dict[str, GpuTable]:
    """Read a GPU price file: `provider:`, then `tables:` by GPU.

    Raises:
        InputError: with file, line, key, value and remedy.
    """
    document = read_yaml(path, path.name)
    provider = _holding(document, "provider", "tables")["provider"]
    if not isinstance(provider, str):
        raise InputError(f"{document.where(('provider',))}: a provider is a name")
    return {
        f"{provider}/{name}": gpu_table(f"{provider}/{name}", entry, document, ("tables", name))
        for name, entry in _mapping(document, "tables").items()
    }


def read_specs(path: Path) -> dict[str, GpuSpec]:
    """Read GPU specs: `specs:` by name."""
    return _read(path, "specs", GpuSpec)


def read_models(path: Path) -> dict[str, ModelSpec]:
    """Read model specs: `models:` by name."""
    return _read(path, "models", ModelSpec)


@functools.lru_cache(maxsize=64)
def provider_gpus(provider: str) -> Mapping[str, GpuTable]:
    """The shipped GPU prices of one provider; empty where none are shipped."""
    known = {path.stem: path for path in (TABLES / "gpus").glob("*.yaml") if path != SPECS}
    return read_gpus(known[provider]) if provider in known else {}


@functools.lru_cache(maxsize=1)
def shipped_models() -> Mapping[str, ModelSpec]:
    """The shipped model specs."""
    paths = sorted((TABLES / "models").glob("*.yaml"))
    return {name: model for path in paths for name, model in read_models(path).items()}


@functools.lru_cache(maxsize=1)
def shipped_specs() -> Mapping[str, GpuSpec]:
    """The shipped GPU specs."""
    return read_specs(SPECS)


def shipped_hardware(providers: Iterable[str] | None = None) -> HardwareBook:
    """The shipped hardware book, with the GPU prices of all providers or only those named."""
    if providers is None:
        providers = (path.stem for path in (TABLES / "gpus").glob("*.yaml") if path != SPECS)
    gpus = {name: table for provider in sorted(set(providers)) for name, table in provider_gpus(provider).items()}
    return HardwareBook(gpus=gpus, specs=shipped_specs(), models=shipped_models())


def _read(path: Path, key: str, kind: type[T]) -> dict[str, T]:
    document = read_yaml(path, path.name)
    _holding(document, key)
    entries = _mapping(document, key)
    return {name: checked(kind, entry, document, (key, name)) for name, entry in entries.items()}


def _holding(document: Document, *keys: str) -> dict[str, Any]:
    value = document.value
    if not isinstance(value, dict) or any(key not in value for key in keys):
        wanted = " and ".join(f"`{key}:`" for key in keys)
        raise InputError(f"{document.name}: such a file holds {wanted}")
    unknown = sorted(set(map(str, value)) - {*keys, "shared", "note"})
    if unknown:
        known = ", ".join((*keys, "shared", "note"))
        raise InputError(f"{document.where((unknown[0],))}: unknown key; known here: {known}")
    return value


def _mapping(document: Document, key: str) -> dict[str, Any]:
    entries = document.value[key]
    if not isinstance(entries, dict):
        raise InputError(f"{document.where((key,))}: expected entries by name")
    return {str(name): entry for name, entry in entries.items()}
