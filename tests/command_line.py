"""The program as a test runs it: in this process, with what it said and how it ended."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from simulator.cli import main

QUESTION = """\
question: Does half the price pay for a set-up of 40 dollars?
start: 2026-12-01
horizon_days: 30
baseline: dear
workload: {calls_per_day: 1000, tokens: {input: 1000, output: 100}}
options:
  dear: {kind: hosted_prompt, price: mine/big}
  cheap: {kind: hosted_prompt, price: mine/small, one_off_usd: {set-up: 40}}
prices:
  mine/big: {usd_per_mtok: {input: 3, output: 15}}
  mine/small: {usd_per_mtok: {input: 1.5, output: 7.5}}
"""
"""A scenario whose figures come out by hand: half the price for a set-up of 40 dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as strict JSON: no NaN, no Infinity."""
        return json.loads(self.out, parse_constant=_refused)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Standard output as CSV."""
        return list(csv.DictReader(io.StringIO(self.out)))

    @property
    def words(self) -> str:
        """Standard output on one line, however it was wrapped."""
        return " ".join(self.out.split())


def tunepoint(*arguments: object) -> Answer:
    """Run a command."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main([str(one) for one in arguments])
    return Answer(code=code, out=out.getvalue(), err=err.getvalue())


def is_one_sentence(text: str) -> bool:
    """Whether a person is told one thing, on one line."""
    return text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text and len(text) > 10


def _refused(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")
