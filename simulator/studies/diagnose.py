"""Is tuning due at all? The article's four questions and the signs of a prompt at its ceiling, with both halves.

The questions come first because most wishes to tune are wishes for a better prompt. Nothing here is a cost:
the answers are the user's own, and only the number of calls is read from the scenario.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.domain.advice import Diagnosed, Question
from simulator.domain.diagnosis import Diagnosis, Said
from simulator.domain.findings import BreakEven, OptionSummary
from simulator.domain.options import HostedPrompt
from simulator.domain.scenario import Scenario
from simulator.formats import count, usd
from simulator.studies.finance import ceiling_usd_per_month

CALLS_PER_MONTH = 10_000.0
"""The article's floor; it stands beside the scenario's own break-even."""
CEILING_TOKENS = 2000.0
CEILING_EXAMPLES = 5.0

QUESTIONS = {
    "prompt_tried": "Was a good prompt with 3 to 5 examples really tried?",
    "narrow": "Is the task narrow enough for 200 to 500 examples?",
    "prompt_cannot": "Was it shown that a prompt cannot do it?",
}
SIGNS = {
    "chain_of_thought_tried": "Was chain of thought tried?",
    "structured_output_tried": "Was structured output tried?",
    "inconsistent_across_sessions": "Are answers still inconsistent across sessions?",
}
ASKED = {**QUESTIONS, **SIGNS}
"""What only the user can answer, by key of `diagnosis:`."""


def diagnose(
    scenario: Scenario,
    options: Mapping[str, OptionSummary],
    crossings: tuple[BreakEven, ...],
    said: Diagnosis | None = None,
) -> Diagnosed:
    """Judge whether tuning is due, and say what it would be worth.

    Args:
        scenario: the question.
        options: readings by name.
        crossings: break-evens of every option against the baseline.
        said: the user's answers (default: the scenario's own `diagnosis`).
    """
    said = said or scenario.diagnosis or Diagnosis()
    calls = scenario.workload.calls_per_day * scenario.hours_per_month / 24.0
    level = own_break_even(scenario, crossings)
    if level is not None:
        beside = f"; this scenario's own break-even is {count(level)} a month"
    elif any(one.answer == "always" and one.between[1] in _tuned(scenario) for one in crossings):
        beside = "; in this scenario a tuned option is cheaper than the baseline at any volume"
    elif not _tuned(scenario):
        beside = "; no option of this scenario is tuned"
    else:
        beside = "; in this scenario no volume makes a tuned option cheaper than the baseline"
    volume = Question(
        key="calls_per_month",
        question="Are there 10,000 calls a month or more?",
        answer=calls >= CALLS_PER_MONTH,
        why=f"{count(calls)} calls a month{beside}",
    )
    tried, narrow, cannot = (_asked(key, QUESTIONS[key], getattr(said, key)) for key in QUESTIONS)
    answers = (tried, narrow, volume, cannot)
    refused = [one for one in answers if one.answer is False]
    missing = tuple(one.key for one in answers if one.answer is None)
    worth, month = _worth(scenario, options)
    return Diagnosed(
        justified=False if refused else None if missing else True,
        answers=answers,
        signs=_signs(scenario, said),
        missing=missing,
        not_yet=_not_yet(refused, [one for one in answers if one.answer is None]),
        worth=worth,
        worth_usd_per_month=month,
        break_even_calls_per_month=level,
    )


def own_break_even(scenario: Scenario, crossings: tuple[BreakEven, ...]) -> float | None:
    """The lowest volume a month from which a tuned (or own) option is cheaper than the baseline."""
    levels = [
        crossing.at * scenario.hours_per_month / 24.0
        for one in crossings
        if one.between[1] in _tuned(scenario) and one.along == "workload.calls_per_day"
        for crossing in one.crossings
        if crossing.basis == "horizon" and crossing.above == one.between[1]
    ]
    return min(levels, default=None)


def _tuned(scenario: Scenario) -> frozenset[str]:
    """Options that are more than a prompt."""
    return frozenset(name for name, option in scenario.options.items() if not isinstance(option, HostedPrompt))


def _asked(key: str, question: str, said: Said) -> Question:
    answer = None if said == "unknown" else bool(said)
    return Question(key=key, question=question, answer=answer, why={True: "yes", False: "no", None: "unknown"}[answer])


def _signs(scenario: Scenario, said: Diagnosis) -> tuple[Question, ...]:
    """The signs that prompting is at its ceiling."""
    tokens = scenario.options[scenario.baseline].prefix_tokens if said.prompt_tokens is None else said.prompt_tokens
    shown = said.examples_in_prompt
    return (
        Question(
            key="prompt_tokens",
            question=f"Has the prompt {CEILING_TOKENS:,.0f} tokens or more?",
            answer=tokens >= CEILING_TOKENS,
            why=f"{count(tokens)} tokens",
        ),
        Question(
            key="examples_in_prompt",
            question=f"Does it hold {CEILING_EXAMPLES:.0f} examples or more?",
            answer=None if shown is None else shown >= CEILING_EXAMPLES,
            why="unknown" if shown is None else f"{count(shown)} examples",
        ),
        *(_asked(key, question, getattr(said, key)) for key, question in SIGNS.items()),
    )


REASONS = {
    "prompt_tried": "a good prompt with 3 to 5 examples was not really tried",
    "narrow": "the task is too wide for 200 to 500 examples",
    "calls_per_month": "there are fewer than 10,000 calls a month",
    "prompt_cannot": "nobody has shown that a prompt cannot do it",
}
UNKNOWN = {
    "prompt_tried": "whether a good prompt was really tried",
    "narrow": "whether 200 to 500 examples cover the task",
    "prompt_cannot": "whether a prompt was shown to fail",
}


def _not_yet(refused: list[Question], unknown: list[Question]) -> str:
    if refused:
        return f"Not yet, because {_listed([REASONS[one.key] for one in refused])}."
    if unknown:
        return f"Not yet, because it is not known {_listed([UNKNOWN[one.key] for one in unknown])}."
    return "All four questions speak for tuning."


def _listed(said: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(said[:-1]), said[-1]) if part)


def _worth(scenario: Scenario, options: Mapping[str, OptionSummary]) -> tuple[str, float]:
    """What the best tuned or own option would save a month against the baseline, and against the best prompt.

    Beside it stands the most that anything can save: where that is little, no further thought is due.
    """
    total = {name: option.total_usd for name, option in options.items() if option.total_usd is not None}
    tuned = [name for name in total if name in _tuned(scenario)]
    if not _tuned(scenario):
        return "What it would be worth cannot be said: no option here is tuned; add one to see.", 0.0
    if not tuned or scenario.baseline not in total:
        return "What it would be worth cannot be said: no tuned option can be bought for the whole horizon.", 0.0
    months = scenario.horizon_days * 24.0 / scenario.hours_per_month
    best = min(tuned, key=lambda name: total[name])
    month = (total[scenario.baseline] - total[best]) / months
    if month <= 0:
        return f"It would be worth nothing: {best} costs {usd(-month)} a month more than {scenario.baseline}.", 0.0
    said = f"It would be worth {usd(month)} a month: {best} against {scenario.baseline}"
    prompts = [name for name in total if isinstance(scenario.options[name], HostedPrompt) and name != scenario.baseline]
    cheapest = min(prompts, key=lambda name: total[name], default=None)
    if cheapest is not None and total[cheapest] < total[scenario.baseline]:
        other = (total[cheapest] - total[best]) / months
        tail = f"saves {usd(other)} a month more than" if other > 0 else f"saves {usd(-other)} a month less than"
        said += f", which {tail} prompting {cheapest}"
    most = ceiling_usd_per_month(scenario, options[scenario.baseline].result)
    return f"{said}. Nothing can save more than {usd(most)} a month, all that {scenario.baseline} costs.", month
