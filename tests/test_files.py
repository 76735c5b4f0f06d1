"""A scenario file means what it says: its inputs, its prices, its prompt files; and the schema knows its keys."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from pricing.errors import NotInForce
from pricing.load import shipped_book
from pricing.yaml12 import read_yaml
from simulator.domain.options import HostedFineTuned, HostedOption, HostedPrompt
from simulator.domain.scenario import Scenario
from simulator.files import default_scenario_path, read_scenario, schema, shipped_scenarios
from simulator.intake.tokens import count

TEXT = """\
question: Which way is cheaper?
start: 2026-12-01
baseline: long
horizon_days: 365
workload:
  calls_per_day: 1_000
  tokens: &shape {input: 350, output: 40}
  events: [{name: sale, from: 2026-12-20, to: 2026-12-24, factor: 2}]
prices:
  acme/small: {usd_per_mtok: {input: 1, output: 2}, rules: {tokens: {encoding: o200k_base, exact: true}}}
  acme/unused: {usd_per_mtok: {input: 1, output: 2}}
options:
  short: {like: long, prefix_tokens: 300}
  long: {kind: hosted_prompt, price: acme/small, prefix_tokens: 2600, caching: {cache_hit_rate: 0.5, scopes: 3}}
  tuned: {like: short, kind: hosted_fine_tuned, prefix_tokens: 120, training: {usd: 3}}
"""


def read(folder: Path, *flags: str, text: str = TEXT, bare: bool = False) -> Scenario:
    path = folder / "x.yaml"
    path.write_text(text, "utf-8")
    return read_scenario(path, flags, bare=bare)


# What a file says


def test_what_was_typed_is_what_is_read(tmp_path: Path) -> None:
    scenario = read(tmp_path, bare=True)
    assert (scenario.name, scenario.baseline, scenario.bare) == ("x", "long", True)
    assert (scenario.workload.calls_per_day, scenario.workload.tokens.input) == (1000, 350)
    assert scenario.workload.events[0].from_.isoformat() == "2026-12-20"
    assert isinstance(scenario.options["long"], HostedPrompt)
    assert isinstance(scenario.options["tuned"], HostedFineTuned)
    assert list(scenario.options) == ["short", "long", "tuned"]


def test_only_named_prices_are_bound_and_the_whole_question_pickles(tmp_path: Path) -> None:
    scenario = read(tmp_path)
    assert set(scenario.prices) == {"acme/small"}
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario
    assert again.digest == scenario.digest


def test_a_typed_price_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    table = shipped_book(["openai"]).prices["openai/gpt-4o-mini"]
    use = TEXT.replace("price: acme/small", "price: openai/gpt-4o-mini")
    assert read(tmp_path, text=use).prices["openai/gpt-4o-mini"] == table
    typed = read(tmp_path, text=use.replace("  acme/unused", "  openai/gpt-4o-mini")).prices["openai/gpt-4o-mini"]
    assert [version.usd_per_mtok.input for version in typed.versions] == [1]


def test_a_price_is_refused_only_before_its_first_day(tmp_path: Path) -> None:
    first = min(v.effective for v in shipped_book(["openai"]).prices["openai/gpt-4o-mini"].versions)
    use = TEXT.replace("price: acme/small", "price: openai/gpt-4o-mini")
    assert read(tmp_path, f"start={first}", text=use).start == first
    with pytest.raises(NotInForce, match=f"its first version is of {first}$"):
        read(tmp_path, f"start={first.replace(day=first.day - 1)}", text=use)


def test_training_grader_and_successor_prices_are_bound_too(tmp_path: Path) -> None:
    more = "{usd: 3, price: acme/t, grader: {price: acme/g, input_tokens: 1, output_tokens: 1}}"
    tables = "".join(f"  acme/{name}: {{usd_per_mtok: {{input: 1}}}}\n" for name in "tgs")
    text = TEXT.replace("{usd: 3}", f"{more}, successor: acme/s").replace("prices:\n", f"prices:\n{tables}")
    assert set(read(tmp_path, text=text).prices) == {"acme/small", "acme/t", "acme/g", "acme/s"}


def test_the_hit_rate_may_be_pinned_in_caching_or_on_the_option(tmp_path: Path) -> None:
    inside = read(tmp_path).options["long"]
    beside = read(tmp_path, text=TEXT.replace("{cache_hit_rate: 0.5, scopes: 3}", "{scopes: 3}, cache_hit_rate: 0.5"))
    assert (inside.cache_hit_rate, inside.caching.scopes) == (0.5, 3)
    assert beside.options["long"] == inside


def test_what_the_user_wrote_is_known_through_copies(tmp_path: Path) -> None:
    paths = read(tmp_path, "discount_rate=0.1").set_paths
    assert {"discount_rate", "workload.tokens.input", "options.short.price", "options.tuned.training.usd",
            "options.tuned.cache_hit_rate", "options.tuned.caching.scopes"} <= paths
    assert not {path for path in paths if "like" in path or path.startswith("prices") or "growth" in path}


# Prompts


def test_a_prompt_is_counted_with_the_tokens_of_its_price(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    text = "You sort tickets.\nAnswer with one word.\n"
    (tmp_path / "prompts" / "p.md").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    scenario = read(tmp_path, "options.long.prompt=prompts/p.md")
    option = scenario.options["long"]
    assert option.prefix_tokens == count(text, "o200k_base").tokens
    assert option.prompt_exact
    assert {"options.long.prompt", "options.long.prefix_tokens"} <= scenario.set_paths


def test_a_prompt_counted_for_another_tokenizer_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("You sort tickets. " * 50)
    exact = read(tmp_path, "options.long.prompt=p.md").options["long"]
    scaled = read(tmp_path, "options.long.prompt=p.md", text=TEXT.replace("exact: true", "factor: 1.2")).options["long"]
    unsaid = read(tmp_path, "options.long.prompt=p.md", text=TEXT.replace(", exact: true", "")).options["long"]
    assert (exact.prompt_exact, scaled.prompt_exact, unsaid.prompt_exact) == (True, False, False)
    assert scaled.prefix_tokens == round(exact.prefix_tokens * 1.2)
    assert unsaid.prefix_tokens == exact.prefix_tokens


# What is shipped


def test_every_shipped_scenario_reads_and_opens_with_its_question() -> None:
    assert default_scenario_path() in shipped_scenarios()
    for path in shipped_scenarios():
        scenario = read_scenario(path)
        opening = path.read_text("utf-8").split("\n#\n")[0].replace("\n#", "")
        assert opening.startswith("# ")
        assert opening.endswith("?")
        assert scenario.question.endswith("?")
        assert set(scenario.prices) >= {
            option.price for option in scenario.options.values() if isinstance(option, HostedOption)
        }


def test_the_default_is_the_support_desk() -> None:
    scenario = read_scenario(default_scenario_path())
    assert (scenario.name, scenario.workload.calls_per_day) == ("support-triage", 50_000)
    assert scenario.options["long-prompt"].prefix_tokens == 2600
    tuned = scenario.options["tuned-api"]
    assert isinstance(tuned, HostedFineTuned)
    assert tuned.training is not None
    assert (tuned.ready_after_days, tuned.training.examples) == (21, 800)


def allowed(value: Any, node: dict[str, Any], whole: dict[str, Any], place: str = "") -> list[str]:
    """Keys and types of a plain value that the schema does not know; enough of JSON Schema for our own."""
    if "$ref" in node:
        return allowed(value, whole["$defs"][node["$ref"].rsplit("/", 1)[1]], whole, place)
    ways = [way for way in node.get("anyOf", ()) if "required" not in way]
    if ways:
        return min((allowed(value, way, whole, place) for way in ways), key=len)
    if isinstance(value, dict):
        unknown: list[str] = []
        for key, inner in value.items():
            below = node.get("properties", {}).get(key) or node.get("additionalProperties")
            unknown += allowed(inner, below, whole, f"{place}.{key}") if below else [f"{place}.{key}"]
        return unknown + [f"{place}.{key} missing" for key in node.get("required", ()) if key not in value]
    kinds = {"number": (int, float), "string": str, "boolean": bool, "integer": int, "array": list, "null": type(None),
             "object": dict}
    fits = isinstance(value, kinds.get(node.get("type", ""), object))
    fits = fits and node.get("minimum", -math.inf) <= value if isinstance(value, float) else fits
    return [] if fits and node.get("const", value) == value else [f"{place} {value!r}"]


def test_the_schema_knows_every_key_of_the_shipped_scenarios_and_no_other() -> None:
    whole = schema()
    for path in shipped_scenarios():
        plain = read_yaml(path).value
        assert set(plain) <= set(whole["properties"])
        assert allowed(plain, whole, whole) == [], path.name
    assert allowed({**plain, "zebra": 1}, whole, whole) == [".zebra"]
    assert allowed({**plain, "horizon_days": "long"}, whole, whole) == [".horizon_days 'long'"]
    assert allowed({**plain, "horizon_days": {"low": 100, "high": 200}}, whole, whole) == []
    assert allowed({**plain, "horizon_days": {"low": 100, "most": 200}}, whole, whole) != []
    assert {"like", "caching"} <= set(whole["$defs"]["HostedPrompt"]["properties"])
    assert "cache_hit_rate" in whole["$defs"]["Caching"]["properties"]
    assert "from" in whole["$defs"]["Event"]["properties"]
