"""Writes the first scenario of a user: commented, with what their own data say, and every assumption named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is known for a first scenario; `known` says of a path where its number came from."""

    start: date
    price: str
    calls_per_day: float
    input_tokens: float
    output_tokens: float
    prefix_tokens: float
    hours: Sequence[float] | None = None
    weekdays: Sequence[float] | None = None
    failure_rate: float = 0.0
    cache_hit_rate: float | None = None
    examples: int | None = None
    tokens_per_example: float | None = None
    tuned_price: str = "tinker/qwen3-8b-ft"
    cheap_price: str = "openai/gpt-6-luna"
    known: Mapping[str, str] = field(default_factory=dict)


def starter(start: Start) -> str:
    """The text of a scenario with three options: what runs today, a cheaper model, a tuned one."""
    demand = []
    for name, shape in (("weekday", start.weekdays), ("hours", start.hours)):
        if shape is not None:
            demand.append(f"{name}: [{', '.join(f'{one:.4g}' for one in shape)}]")
    retries = f", retries: {{failure_rate: {start.failure_rate:.4g}, max: 1}}" if start.failure_rate else ""
    tuned_retries = retries.replace(", ", "\n    ", 1)
    pinned = "" if start.cache_hit_rate is None else f", cache_hit_rate: {start.cache_hit_rate:.4g}"
    examples, each = start.examples or 500, start.tokens_per_example or start.input_tokens + start.output_tokens
    explained = [f"  {path}: {_quoted(words)}" for path, words in sorted(start.known.items())]
    assumes = "\n".join(["assumes:", *explained, ""]) if explained else ""
    return f"""\
# Written by `tunepoint init`. Change anything; `tunepoint compare FILE` answers, `tunepoint schema` lists every key.
question: Keep today's prompt, or tune a model?
start: {start.start}
horizon_days: 365
baseline: today
workload:
  calls_per_day: {start.calls_per_day:.6g}        # mean over all seven days
  growth_per_month: 0                # a share, 0.03 = 3 % more every month
  tokens: {{input: {start.input_tokens:.6g}, output: {start.output_tokens:.6g}}}   # a call, without the shared prompt
{f"  demand: {{{', '.join(demand)}}}" if demand else "  demand: {weekday: flat, hours: flat}"}
options:
  # What runs today: a hosted model that is told in every call what to do.
  today: {{kind: hosted_prompt, price: {start.price}, prefix_tokens: {start.prefix_tokens:.6g}{retries}{pinned}}}
  # The same prompt on a cheaper model: the comparison that a tuned model must win.
  cheaper: {{kind: hosted_prompt, price: {start.cheap_price}, prefix_tokens: {start.prefix_tokens:.6g}{retries}}}
  # A tuned model needs a shorter prompt, examples, and time.
  tuned:
    kind: hosted_fine_tuned
    price: {start.tuned_price}
    prefix_tokens: {min(start.prefix_tokens, 120):.6g}{tuned_retries}
    training: {{examples: {examples}, tokens_per_example: {each:.6g}, runs_per_model: 3}}
    dataset: {{{"usd: 0" if start.examples else "minutes_per_example: 2"}}}
    ready_after_days: 21
    until_ready: today
{assumes}"""


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "/").replace('"', "'") + '"'
