"""How many tokens a call will use, before it is made."""

from __future__ import annotations

from dataclasses import dataclass

from batcher.records import Usage

# Before the first answer: a short one.
_COMPLETION = 256.0
_WEIGHT = 0.05


@dataclass(slots=True)
class Forecast:
    """Learns from usage how far the estimate of prompts is off, and how long answers are.

    Estimated and counted tokens are averaged each for itself: what a provider adds to every prompt
    is many times the estimate of a short one, which an average of their ratios would not survive.
    """

    _estimated: float | None = None
    _counted: float | None = None
    _completion: float | None = None

    def tokens(self, prompt: int, most: int | None) -> int:
        """Return what a call may use, whose prompt was estimated at `prompt` tokens.

        `most` is the longest answer that it asks for, None where it names none.
        """
        completion = _COMPLETION if self._completion is None else self._completion
        if most is not None:
            completion = min(completion, most)
        ratio = self._counted / self._estimated if self._counted and self._estimated else 1.0
        return round(prompt * ratio + completion)

    def learn(self, prompt: int, usage: Usage) -> None:
        """Compare an estimate with what the provider counted."""
        if usage.prompt_tokens is not None:
            self._estimated = _averaged(self._estimated, prompt)
            self._counted = _averaged(self._counted, usage.prompt_tokens)
        if usage.completion_tokens is not None:
            self._completion = _averaged(self._completion, usage.completion_tokens)


def _averaged(before: float | None, value: int) -> float:
    return value if before is None else before + _WEIGHT * (value - before)
