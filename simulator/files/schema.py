"""The JSON Schema of a scenario file, for editors: read from the same types and dials that check it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from simulator.domain.dials import Dial, dials_of
from simulator.domain.options import KINDS, Option
from simulator.domain.ranges import RANGES, Values
from simulator.files.foreseen import HISTORY
from simulator.files.layers import FOUND
from simulator.files.scenario import ScenarioFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file; labels, units and bounds are those of the dials.

    >>> schema()["$defs"]["Workload"]["properties"]["growth_per_month"]["description"]
    'Growth per month (share)'
    """
    top, definitions = _of(ScenarioFile)
    definitions |= _of(Option)[1]
    for cls in _dataclasses(ScenarioFile, Option):
        _describe(top if cls is ScenarioFile else definitions.get(cls.__name__, {}), dials_of(cls))
    for cls in KINDS.values():
        _as_written(definitions[cls.__name__], definitions["Caching"])
    _from_a_log(definitions)
    definitions |= _ranges()
    properties = top["properties"]
    properties["options"] = {
        "description": "The ways to serve the calls, by name",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{cls.__name__}"} for cls in KINDS.values()]},
    }
    history = {"const": HISTORY, "description": "As often, and by as much, as prices in the tables changed"}
    properties["outlook"]["anyOf"].insert(0, history)
    properties["prices"] = {
        "description": "Prices by id: {usd_per_mtok: {input: 3, output: 15}}, or versions as in a price file",
        "type": "object",
        "propertyNames": {"pattern": "/"},
        "additionalProperties": {"type": "object"},
    }
    for name, what in (
        ("gpus", "GPU prices by id: {usd_per_gpu_hour: {on_demand: 2.5}} or {owned: {...}}, or versions"),
        ("models", "Model shapes by name: {like: llama-3.1-8b, ...}"),
        ("serving", "Serving profiles by id: engine/gpu/model/precision"),
    ):
        properties[name] = {"description": what, "type": "object", "additionalProperties": {"type": "object"}}
    return {**top, "$schema": DIALECT, "title": "A tunepoint scenario", "$defs": dict(sorted(definitions.items()))}


def _of(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a type, and the definitions it refers to, its own among them."""
    whole = TypeAdapter(kind).json_schema()
    definitions: dict[str, Any] = whole.pop("$defs", {})
    return whole, definitions


def _dataclasses(*kinds: Any) -> Iterator[type]:
    """Every dataclass reached from the fields of `kinds`."""
    waiting, seen = list(kinds), set()
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
            seen.add(kind)
            waiting += get_type_hints(kind).values()
            yield kind


def _describe(definition: dict[str, Any], dials: dict[str, Dial]) -> None:
    for name, dial in dials.items():
        node = definition.get("properties", {}).get(name)
        if node is None:
            continue
        node["description"] = f"{dial.label} ({dial.unit})" if dial.unit else dial.label
        node = node.get("additionalProperties", node)
        if node.get("type") == "number":
            node["anyOf"] = [{"type": node.pop("type")}]
        for number in [each for each in node.get("anyOf", ()) if each.get("type") == "number"]:
            number["minimum"] = dial.least
            number["maximum"] = dial.most
            node["anyOf"].append({"$ref": "#/$defs/Range"})


def _ranges() -> dict[str, Any]:
    """What may stand on a dial in place of a number: `Range`, and each of its forms."""
    forms: dict[str, Any] = {}
    for keys, kind in RANGES.items():
        numbers = {key: {"type": "number"} for key in sorted(keys)}
        lists = {key: {"type": "array", "items": {"type": "number"}} for key in sorted(keys)}
        forms["Range_" + "_".join(sorted(keys))] = {
            "type": "object",
            "description": f"{kind.__name__}: a number that is not known exactly",
            "properties": lists if kind is Values else numbers,
            "required": sorted(keys),
            "additionalProperties": False,
        }
    return {"Range": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in forms]}, **forms}


def _from_a_log(definitions: dict[str, Any]) -> None:
    """Lengths and demand may come from a log in place of numbers."""
    for name, key, what in (
        ("Tokens", "trace", "A log in the scenario's folder whose pairs of input and output are drawn from"),
        ("Workload", "replay", "A log in the scenario's folder whose calls are played as recorded"),
    ):
        definition = definitions[name]
        definition["properties"][key]["description"] = what
        definition["anyOf"] = [{"required": [key]}, {"required": definition.pop("required")}]


def _as_written(option: dict[str, Any], caching: dict[str, Any]) -> None:
    """What may stand in a file beyond the fields: `like`, and a pinned hit rate inside `caching`."""
    properties = option["properties"]
    del properties[FOUND]
    properties["like"] = {"type": "string", "description": "Another option's name: start from a copy of it"}
    properties["prompt"]["description"] = "A text file in the scenario's folder, counted in place of prefix_tokens"
    if "cache_hit_rate" in properties:
        caching["properties"]["cache_hit_rate"] = properties["cache_hit_rate"]
    option["anyOf"] = [{"required": ["like"]}, {"required": [*option.pop("required"), "kind"]}]
