"""How long to go on with a row: when it is over, and whom else to ask. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from batcher.errors import ErrorClass

MAX_AMBIGUOUS = 3


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a row is over: after so many failures that count, or calls that were not answered.

    Or after so many `repairs`: requests for an answer that holds what the job wants.
    """

    max_attempts: int = 8
    max_ambiguous: int = MAX_AMBIGUOUS
    repairs: int = 2

    def forbids_another(self, unanswered: int) -> bool:
        """Whether a row that was sent so often without a whole answer must not be sent again."""
        return unanswered >= self.max_ambiguous


@dataclass(frozen=True, slots=True)
class Fallback:
    """Models to ask in this order, the next one on the errors of `on`; none without them."""

    models: tuple[str, ...] = ()
    on: frozenset[ErrorClass] = frozenset()

    def models_for(self, model: str) -> tuple[str, ...]:
        """Return the models that may answer a request for `model`."""
        return self.models if self.models[:1] == (model,) else (model,)


NO_FALLBACK = Fallback()
