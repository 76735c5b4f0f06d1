"""A training set is counted to the last token of the cookbook's rule, and every bad line is told by its number."""

from __future__ import annotations

import gzip
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from command_line import is_one_sentence, tunepoint

from pricing.errors import InputError
from pricing.load import shipped_book
from pricing.load_hardware import shipped_hardware
from simulator.intake.dataset import example_tokens, read_dataset
from simulator.intake.lines import LONGEST
from simulator.intake.tokens import count
from simulator.studies.training_cost import training_offers
from simulator.studies.training_rented import rented_training

COOKBOOK = Path(__file__).parent / "data" / "openai_cookbook"
TOY, DRONE = COOKBOOK / "toy_chat_fine_tuning.jsonl", COOKBOOK / "drone_training.jsonl"
ASKED, SAID = {"role": "user", "content": "a b"}, {"role": "assistant", "content": "c d e"}
GOOD = {"messages": [ASKED, SAID]}


def words(text: str) -> int:
    return len(text.split())


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in records), "utf-8")
    return path


@pytest.mark.parametrize(("encoding", "tokens"), [("cl100k_base", 8242), ("o200k_base", 8233)])
def test_the_cookbooks_toy_set_has_its_published_count(encoding: str, tokens: int) -> None:
    check = read_dataset(TOY, lambda text: count(text, encoding).tokens)
    assert (check.records, check.tokens, check.problem_count) == (5, tokens, 0)
    assert check.without == {"system": 1, "user": 1}


def test_tool_definitions_of_the_drone_set_are_counted_apart() -> None:
    check = read_dataset(DRONE, lambda text: count(text, "cl100k_base").tokens)
    assert (check.records, check.tokens, check.shape) == (103, 12_671, "chat")
    tools = [json.loads(line)["tools"] for line in DRONE.read_text("utf-8").splitlines()]
    assert check.tool_tokens == sum(count(json.dumps(tool), "cl100k_base").tokens for some in tools for tool in some)


def test_a_record_is_counted_as_by_hand() -> None:
    # 3 a record, 3 a message, role and content as words, one for the name
    assert example_tokens([{**ASKED, "name": "x"}, SAID], words) == 3 + (3 + 1 + 2 + 1 + 1) + (3 + 1 + 3)


SHAPES = {
    "chat": {"system": "be brief", "messages": [ASKED, SAID]},
    "sharegpt": {"conversations": [{"from": "human", "value": "a b"}, {"from": "gpt", "value": "c d e"}]},
    "alpaca": {"instruction": "a", "input": "b", "output": "c d e"},
    "completion": {"prompt": "a b", "completion": "c d e"},
}
TOKENS = {"chat": 3 + 3 + 1 + 2 + 13, "sharegpt": 3 + 13, "alpaca": 3 + 13, "completion": 5}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_known_and_counted(tmp_path: Path, shape: str) -> None:
    check = read_dataset(lines(tmp_path / "a.jsonl", SHAPES[shape]), words)
    assert (check.shape, check.tokens, check.answer_tokens, check.problem_count) == (shape, TOKENS[shape], 3, 0)


BAD = {
    "not JSON": "{\"messages\": [\n",
    "a list stands where an object": [1],
    "a number stands where an object": 7,
    "a number of 10,000 digits": f'{{"messages": {"1" * 10_000}}}\n',
    "nested too deeply": "[" * 100_000 + "\n",
    "NaN is no JSON": '{"messages": [{"role": "user", "content": NaN}, {"role": "assistant", "content": "c"}]}\n',
    'the key "messages" stands twice': f'{{"messages": 1, {json.dumps(GOOD)[1:]}\n',
    "no messages, conversations": {"text": "a"},
    "messages is empty": {"messages": []},
    "messages is no list": {"messages": "hi"},
    "holds something that is no object": {"messages": ["hi"]},
    "role is 'asistant'": {"messages": [ASKED, {"role": "asistant", "content": "c"}]},
    "message 1 (assistant): content is empty": {"messages": [ASKED, {"role": "assistant", "content": ""}]},
    "only white space": {"messages": [{"role": "user", "content": "  "}, SAID]},
    "content is a number": {"messages": [{"role": "user", "content": 7}, SAID]},
    "no assistant message": {"messages": [ASKED]},
    "ends with user": {"messages": [ASKED, SAID, ASKED]},
    "the same as line 1": GOOD,
    "more than the 65,536": {"messages": [ASKED, {"role": "assistant", "content": "w " * 70_000}]},
    "is completion, the file began as chat": {"prompt": "p", "completion": "c"},
    "prompt and completion must be text": {"prompt": 1, "completion": "c"},
    "from is 'robot'": {"conversations": [{"from": "robot", "value": "x"}]},
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_line_is_told_by_its_number_and_the_rest_is_counted(tmp_path: Path, what: str) -> None:
    last = {"messages": [SAID | {"content": "z"}]}
    check = read_dataset(lines(tmp_path / "a.jsonl", GOOD, "\n", BAD[what], last), words)
    assert (check.records, check.problem_count) == (3, 1)
    [(line, told)] = check.problems
    assert line == 3
    assert what in told


def test_byte_order_mark_crlf_and_gzip_are_seen_through(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n"
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("a.jsonl", "a.jsonl.gz"):
        assert read_dataset(tmp_path / name, words).tokens == 16


FILES = {
    "is empty": b"\n", "UTF-16": "{}".encode("utf-16"), "NUL byte": b"{}\0", "not UTF-8": b'{"a": "\xff"}',
    "is longer than 32 MiB": b'{"messages": "' + b"x" * (LONGEST + 10) + b'"}',
    "damaged": gzip.compress(str([number * number for number in range(9999)]).encode())[:5000],
    "no line of the file is an example": b"hello\n",
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_none_is_told_in_one_sentence(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(FILES[what])
    answer = tunepoint("dataset", tmp_path / "a.jsonl")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert ("cannot be read" if what == "damaged" else what) in answer.err


@pytest.mark.parametrize(("size", "told"), [(9, "OpenAI refuses"), (99, "fewer than 100"), (199, "fewer than 200"),
                                            (499, "fewer than 500"), (500, None)])
def test_a_small_set_is_told_what_that_means(tmp_path: Path, size: int, told: str | None) -> None:
    records = [{"prompt": str(number), "completion": "c"} for number in range(size)]
    notes = read_dataset(lines(tmp_path / "a.jsonl", *records), words).notes
    assert notes == () if told is None else told in notes[0]


def test_training_is_priced_by_the_providers_rule_of_epochs() -> None:
    # OpenAI: 25 USD per million for gpt-4.1; 50 examples x 3 epochs reach 100, 20 examples take 100 // 20 = 5.
    for examples, epochs in ((50, 3), (20, 5)):
        offers = training_offers(shipped_book().prices, date(2026, 11, 1), examples, {None: 40_000})
        [found] = [one for one in offers if one.price == "openai/gpt-4.1-ft"]
        assert (found.epochs, found.usd) == (epochs, pytest.approx(40_000 * epochs * 25 / 1e6))


def test_who_takes_no_jobs_any_more_is_not_offered() -> None:
    names = {one.price for one in training_offers(shipped_book().prices, date(2027, 1, 10), 500, {None: 1e6})}
    assert "openai/gpt-4o-mini-ft" not in names
    assert "tinker/qwen3-8b-ft" in names


def test_the_command_has_the_keys_of_the_contract() -> None:
    answer = tunepoint("dataset", TOY, "--on", "2026-11-01", "--json").json
    assert {"records", "format", "problems", "tokens", "training"} <= set(answer)
    assert set(answer["tokens"]) >= {"total", "mean", "p50", "p95", "max"}
    assert {"price", "epochs", "tokens", "usd"} <= set(answer["training"][0])
    assert "8,233 tokens" in tunepoint("dataset", TOY, "--on", "2026-11-01").words


def test_reading_is_refused_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_dataset(tmp_path / "a.jsonl", words)


def test_a_rented_card_is_paid_by_the_hour_that_its_arithmetic_takes() -> None:
    # Llama 3.1 8B multiplies a token with 7.505e9 weights, 4 + 2 FLOPs each; an RTX 4090 does 165.2e12 a second in
    # bf16, of which QLoRA with Unsloth reaches 0.32 x 1.9; 1,000 examples of 2,048 tokens, 3 times, and 10 minutes.
    day = date(2026, 11, 1)
    offers = rented_training(shipped_hardware(), day, 1000, 2_048_000)
    [found] = [one for one in offers if one.price == "runpod-community/rtx-4090" and one.method == "qlora-unsloth"]
    hours = math.ceil(3 * 2_048_000 / (0.32 * 1.9 * 165.2e12 / (6 * 7.505e9)) + 600) / 3600  # rented by the second
    assert (found.gpu_hours, found.usd) == (pytest.approx(hours), pytest.approx(hours * 0.34))
    assert (found.epochs, found.tokens) == (3, 3 * 2_048_000)


def test_the_cheapest_verified_rent_of_a_single_card_is_taken() -> None:
    """Seen on 2026-11-23: openrelay and verda ask less, but nobody verified it; Lambda's A100s come in eights."""
    offers = rented_training(shipped_hardware(), date(2026, 11, 23), 100, 50_000)
    assert {(one.price, one.method) for one in offers} == {
        (card, method) for method in ("qlora-unsloth", "lora-hf")
        for card in ("runpod-community/rtx-4090", "runpod-community/a100-80gb-pcie", "runpod-community/h100-pcie")
    }
    assert [one.usd for one in offers] == sorted(one.usd for one in offers)
    assert rented_training(shipped_hardware(), date(2020, 1, 1), 100, 50_000) == []


def test_rented_cards_stand_beside_the_providers() -> None:
    answer = tunepoint("dataset", TOY, "--on", "2026-11-23", "--json").json["training"]
    rented = [one for one in answer if one["gpu_hours"] is not None]
    assert len(rented) == 6
    assert [one["usd"] for one in answer] == sorted(one["usd"] for one in answer)
    shown = tunepoint("dataset", TOY, "--on", "2026-11-23").words
    assert all(one["price"] in shown for one in rented)
    assert "GPU-h" in shown
