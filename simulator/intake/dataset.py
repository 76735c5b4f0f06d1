"""Checks a file of training examples line by line and counts its tokens as a provider bills them.

Known shapes of a line: OpenAI chat (`messages`, with tools, or a `system` at the top as Anthropic writes it), ShareGPT
(`conversations`), Alpaca (`instruction`, `input`, `output`) and plain `prompt` with `completion`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pricing.errors import InputError
from simulator.intake.chat import ROLES
from simulator.intake.lines import lines_of
from simulator.intake.strict_json import kind_of, strict_json

Shape = Literal["chat", "sharegpt", "alpaca", "completion"]
Count = Callable[[str], int]

SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
            "tool": "tool", "function_call": "assistant", "observation": "tool"}
"""Roles of ShareGPT's `from`, as LLaMA-Factory reads it (its README, section "Sharegpt Format")."""
PER_RECORD, PER_MESSAGE, PER_NAME = 3, 3, 1
"""OpenAI cookbook, Chat_finetuning_data_prep.ipynb, `num_tokens_from_messages`."""
LONGEST_EXAMPLE = 65_536
"""Tokens of an example that OpenAI trains on for gpt-4.1 and gpt-4o models; longer ones are cut (its guide)."""
VALIDATION_SHARE = 0.1
"""Of the examples, kept aside to measure on: a tenth, as in the cookbook's notebooks."""
MOST_TOLD = 1000
SIZES = {
    10: "fewer than 10 examples: OpenAI refuses the job",
    100: "fewer than 100 examples: too few to change more than tone, and the default epochs rise to make up for it",
    200: "fewer than 200 examples: below what a narrow task usually needs (200 to 500)",
    500: "fewer than 500 examples: enough for a narrow task, if they are clean and alike",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCheck:
    """What a file of examples holds; tokens are those of messages, tool definitions are counted apart.

    Attributes:
        records: lines that hold an example, good or not.
        shape: of the first example.
        lengths: tokens of every readable example, shape (examples,), in the order of the file.
        answer_tokens: tokens that the model is to learn, over all examples.
        tool_tokens: tokens of tool definitions, over all examples.
        problems: (line, what), the first of each line; at most 1,000 are kept.
        problem_count: how many there are.
        notes: what is no mistake and good to know.
    """

    records: int
    shape: str
    lengths: np.ndarray[Any, np.dtype[np.int64]]
    answer_tokens: int
    tool_tokens: int
    problems: tuple[tuple[int, str], ...]
    problem_count: int
    notes: tuple[str, ...]
    without: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens of all messages."""
        return int(self.lengths.sum())


def describe_dataset(check: DatasetCheck) -> dict[str, Any]:
    """Lengths of the examples, what of them is learnt, and how many to keep aside, as plain values.

    Args:
        check: a file of examples that was read.
    """
    examples = len(check.lengths)
    p50, p95 = np.percentile(check.lengths, (50, 95)).tolist()
    validation = round(VALIDATION_SHARE * examples)
    return {
        "tokens": {
            "total": check.tokens, "mean": check.tokens / examples, "p50": p50, "p95": p95,
            "max": int(check.lengths.max()), "answers": check.answer_tokens, "tools": check.tool_tokens,
        },
        "split": {"train": examples - validation, "validation": validation},
    }


def read_dataset(path: str | os.PathLike[str], count: Count) -> DatasetCheck:
    """Read and check a JSONL file.

    Args:
        path: the file, plain or gzip.
        count: tokens of a text.

    Raises:
        InputError: no file, empty, not UTF-8, or a line longer than any example.
    """
    path = Path(path)
    seen: dict[bytes, int] = {}
    lengths: list[int] = []
    problems: list[tuple[int, str]] = []
    without = {"system": 0, "user": 0}
    records = answers = tools = bad = 0
    shape = ""
    for number, line in lines_of(path):
        if not line.strip():
            continue
        records += 1
        try:
            found, messages, record = _example(line)
        except ValueError as error:
            bad += 1
            if len(problems) < MOST_TOLD:
                problems.append((number, str(error)))
            continue
        shape = shape or found
        plain = found == "completion"
        tokens = sum(count(turn["content"]) for turn in messages) if plain else example_tokens(messages, count)
        lengths.append(tokens)
        answers += sum(_answer(message, count) for message in messages if message.get("role") == "assistant")
        tools += sum(count(json.dumps(tool)) for tool in record.get("tools") or record.get("functions") or ())
        roles = {message.get("role") for message in messages}
        without["system"] += not roles & {"system", "developer"} and found != "completion"
        without["user"] += "user" not in roles
        key = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).digest()
        what = next(_faults(found, messages, tokens, shape, seen.get(key)), None)
        seen.setdefault(key, number)
        if what is not None:
            bad += 1
            if len(problems) < MOST_TOLD:
                problems.append((number, what))
    if not records:
        raise InputError(f"{path}: the file is empty; a data set has one JSON object a line")
    if not lengths:
        raise InputError(f"{path}: line {problems[0][0]}: {problems[0][1]}; no line of the file is an example")
    return DatasetCheck(
        records=records,
        shape=shape,
        lengths=np.array(lengths, dtype=np.int64),
        answer_tokens=answers,
        tool_tokens=tools,
        problems=tuple(problems),
        problem_count=bad,
        notes=tuple(_notes(records, without, shape)),
        without=without,
    )


def example_tokens(messages: list[dict[str, Any]], count: Count) -> int:
    """Tokens of one chat example: 3, and for every message 3, its string values, its calls, and 1 for a name.

    Source: OpenAI cookbook, Chat_finetuning_data_prep.ipynb; tool calls as the text of their JSON.

    >>> example_tokens([{"role": "user", "content": "a b"}], lambda text: len(text.split()))
    9
    """
    total = PER_RECORD
    for message in messages:
        total += PER_MESSAGE
        for key, value in message.items():
            if isinstance(value, str):
                total += count(value) + (PER_NAME if key == "name" else 0)
            elif key == "content" and isinstance(value, list):
                total += sum(count(part["text"]) for part in value if isinstance(part.get("text"), str))
            elif key in ("tool_calls", "function_call") and value:
                total += count(json.dumps(value))
    return total


def _answer(message: Mapping[str, Any], count: Count) -> int:
    content, calls = message.get("content"), message.get("tool_calls")
    return (count(content) if isinstance(content, str) else 0) + (count(json.dumps(calls)) if calls else 0)


def _example(line: str) -> tuple[Shape, list[dict[str, Any]], dict[str, Any]]:
    """Shape, messages and the whole record of a line.

    Raises:
        ValueError: it is no example, with what is wrong.
    """
    try:
        record = strict_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}); was the line cut off?") from None
    if not isinstance(record, dict):
        raise ValueError(f"{kind_of(record)} stands where an object is expected")
    if "messages" in record:
        messages = _messages(record["messages"], "messages")
        system = record.get("system")
        if isinstance(system, str) and system:
            messages = [{"role": "system", "content": system}, *messages]
        return "chat", messages, record
    if "conversations" in record:
        turns = _messages(record["conversations"], "conversations")
        for turn in turns:
            if turn.get("from") not in SPEAKERS:
                raise ValueError(f"from is {turn.get('from')!r}; it is one of {', '.join(SPEAKERS)}")
        said = [{"role": SPEAKERS[turn["from"]], "content": turn.get("value")} for turn in turns]
        system = record.get("system")
        return "sharegpt", [{"role": "system", "content": system}, *said] if system else said, record
    if "instruction" in record and "output" in record:
        asked = "\n\n".join(str(record[key]) for key in ("instruction", "input") if record.get(key))
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": record["output"]}]
        system = record.get("system")
        return "alpaca", [{"role": "system", "content": system}, *turns] if system else turns, record
    if "prompt" in record and "completion" in record:
        if not all(isinstance(record[key], str) for key in ("prompt", "completion")):
            raise ValueError("prompt and completion must be text")
        turns = [{"role": "user", "content": record["prompt"]}, {"role": "assistant", "content": record["completion"]}]
        return "completion", turns, record
    keys = ", ".join(list(record)[:5]) or "none"
    raise ValueError(f"no messages, conversations, instruction with output, or prompt with completion (keys: {keys})")


def _messages(value: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} is {'empty' if value == [] else 'no list'}; it holds the turns of a conversation")
    if not all(isinstance(turn, dict) for turn in value):
        raise ValueError(f"{key} holds something that is no object")
    return value


def _faults(
    shape: Shape, messages: list[dict[str, Any]], tokens: int, first: str, seen_at: int | None
) -> Iterator[str]:
    for number, message in enumerate(messages):
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            yield f"message {number}: role is {role!r}; it is one of {', '.join(ROLES)}"
        elif content is not None and not isinstance(content, (str, list)):
            yield f"message {number}: content is {kind_of(content)}; it must be text"
        elif not content and not message.get("tool_calls") and not message.get("function_call"):
            yield f"message {number} ({role}): content is empty"
        elif isinstance(content, str) and not content.strip() and not message.get("tool_calls"):
            yield f"message {number} ({role}): content is only white space"
    roles = [message.get("role") for message in messages]
    if "assistant" not in roles:
        yield "no assistant message: there is nothing to learn from it"
    elif roles[-1] != "assistant":
        yield f"ends with {roles[-1]}; the last message is the answer to learn, from assistant"
    if tokens > LONGEST_EXAMPLE:
        yield f"{tokens:,} tokens, more than the {LONGEST_EXAMPLE:,} that are trained on; the end would be cut off"
    if seen_at is not None:
        yield f"the same as line {seen_at}"
    if shape != first:
        yield f"is {shape}, the file began as {first}; keep one shape"


def _notes(records: int, without: Mapping[str, int], shape: str) -> Iterator[str]:
    if told := next((words for size, words in SIZES.items() if records < size), None):
        yield told
    for role, count in without.items():
        if count and shape != "completion":
            yield f"{count} of {records} examples have no {role} message"
