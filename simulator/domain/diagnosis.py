"""What the user says of the prompt before tuning is thought of: the article's four questions and the ceiling signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pricing.table import STRICT
from simulator.domain.dials import Dial, check_dials

Said = bool | Literal["unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Answers of the person who asks: true, false or unknown.

    `prompt_tried`: a good prompt with 3 to 5 examples was really tried. `narrow`: the task is narrow enough
    for 200 to 500 examples. `prompt_cannot`: it was shown that a prompt cannot do it. The rest are signs that
    prompting has reached its ceiling; `prompt_tokens` defaults to the baseline's prompt.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    prompt_tried: Said = "unknown"
    narrow: Said = "unknown"
    prompt_cannot: Said = "unknown"
    prompt_tokens: Annotated[float | None, Dial("Prompt that was tried", "tokens", 0, 100_000)] = None
    examples_in_prompt: Annotated[float | None, Dial("Examples in the prompt", "examples", 0, 100)] = None
    chain_of_thought_tried: Said = "unknown"
    structured_output_tried: Said = "unknown"
    inconsistent_across_sessions: Said = "unknown"

    def __post_init__(self) -> None:
        check_dials(self)
