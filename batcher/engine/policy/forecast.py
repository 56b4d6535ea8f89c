"""How many tokens a call will use, before it is made."""

from __future__ import annotations

from dataclasses import dataclass

from batcher.records import Usage

# Before the first answer: a short one.
_COMPLETION = 256.0
_WEIGHT = 0.05


@dataclass(slots=True)
class Forecast:
    """Learns from usage how far the estimate of prompts is off, and how long answers are."""

    _ratio: float = 1.0
    _completion: float | None = None

    def tokens(self, prompt: int, most: int | None) -> int:
        """Return what a call may use, whose prompt was estimated at `prompt` tokens.

        `most` is the longest answer that it asks for, None where it names none.
        """
        completion = _COMPLETION if self._completion is None else self._completion
        if most is not None:
            completion = min(completion, most)
        return round(prompt * self._ratio + completion)

    def learn(self, prompt: int, usage: Usage) -> None:
        """Compare an estimate with what the provider counted."""
        if usage.prompt_tokens is not None and prompt > 0:
            self._ratio += _WEIGHT * (usage.prompt_tokens / prompt - self._ratio)
        if usage.completion_tokens is not None:
            before = usage.completion_tokens if self._completion is None else self._completion
            self._completion = before + _WEIGHT * (usage.completion_tokens - before)
