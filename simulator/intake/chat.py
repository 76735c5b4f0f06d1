"""Counts a chat request written as JSON: the words of its messages, what a provider adds, and its tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pricing.errors import InputError
from simulator.intake.strict_json import Fault, strict_json

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
PER_NAME = 1
"""OpenAI cookbook, How_to_count_tokens_with_tiktoken.ipynb, `num_tokens_from_messages`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTokens:
    """Tokens of a request: `text` of its messages, `overhead` the provider adds, `tools` definitions as their JSON."""

    messages: int
    text: int
    overhead: int
    tools: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.overhead + self.tools


def chat_in(text: str) -> dict[str, Any] | None:
    """The request in a text: an object with `messages`, or a list of messages; None where it is plain text.

    Raises:
        InputError: it has the form of a request, and a value in it cannot be meant.

    >>> chat_in('[{"role": "user", "content": "hi"}]')
    {'messages': [{'role': 'user', 'content': 'hi'}]}
    >>> chat_in("Be brief.") is None
    True
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found = strict_json(text)
    except Fault as fault:
        if '"role"' in text:
            raise InputError(f"the chat request: {fault}") from None
        return None
    except ValueError:
        return None
    if isinstance(found, list) and found and all(isinstance(one, dict) and "role" in one for one in found):
        found = {"messages": found}
    return found if isinstance(found, dict) and isinstance(found.get("messages"), list) else None


def chat_tokens(
    request: dict[str, Any], count: Callable[[str], int], per_message: int = 3, per_request: int = 3
) -> ChatTokens:
    """Tokens of a chat request by the rule of a provider.

    Args:
        request: `messages`, and perhaps `system` and `tools`.
        count: tokens of a text.
        per_message: what the provider adds to a message; where it adds any, the role is text too.
        per_request: what it adds to the request.

    Raises:
        InputError: a message that is none.

    >>> chat_tokens({"messages": [{"role": "user", "content": "a b"}]}, lambda text: len(text.split())).total
    9
    """
    messages = list(request["messages"])
    system = request.get("system")
    if isinstance(system, str) and system:
        messages = [{"role": "system", "content": system}, *messages]
    text, overhead = 0, per_request
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InputError(f"message {number} has no role; a message is {{role: user, content: ...}}")
        if message["role"] not in ROLES:
            raise InputError(f"message {number}: role is {message['role']!r}; it is one of {', '.join(ROLES)}")
        overhead += per_message + (count(message["role"]) if per_message else 0)
        if isinstance(name := message.get("name"), str):
            overhead += count(name) + PER_NAME
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        words = (part.get("text") for part in parts if isinstance(part, dict))
        text += sum(count(one) for one in words if isinstance(one, str))
        if message.get("tool_calls"):
            text += count(json.dumps(message["tool_calls"]))
    tools = request.get("tools") or request.get("functions") or ()
    return ChatTokens(
        messages=len(messages), text=text, overhead=overhead, tools=sum(count(json.dumps(tool)) for tool in tools)
    )
