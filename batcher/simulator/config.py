"""What a simulator is told before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batcher.errors import UsageError
from batcher.simulator.faults import check_fault_name
from batcher.simulator.models import LIMITS
from batcher.simulator.schedule import Change, Outage

SIMULATED_KEY = "simulated.this-key-opens-nothing-but-the-simulator"
"""A well-formed key that no account owns."""

SIMULATED_MODEL = "glm-4-flash"
"""The model asked for under `--simulate` where the job names none."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How the simulated service behaves.

    Attributes:
        latency_s: Median seconds of an answer of typical length; 0 answers at once.
        faults: Names of `KNOWN_FAULTS` with their rates, which together are at most 1.
        seed: Other seeds give other answers, latencies and faults; the same, the same ones.
        limits: Requests in flight of one key, per model; `*` stands for the other models, which
            have no limit without it.
        queue: Requests for a model that are served at once; the others wait for their turn. None
            serves all at once.
        rpm: Requests a minute of one key for one model; None sets no limit.
        tpm: Tokens a minute, those of prompt and answer together, likewise.
        rate_headers: Tell of `rpm` and `tpm` in OpenAI's headers; Zhipu sends none (section 4).
        outages: Times in which every request meets a fault, before any limit.
        changes: Moments that change `limits` and `queue` by a factor; see `Schedule`.
        keys: The accepted keys; None accepts every well-formed `id.secret`, and tokens signed for
            any id. Without keys only the secret of `SIMULATED_KEY` is known and verified.
        ledger: The JSONL file that what was asked and answered is appended to.
        fail_after: `(100, "1113")` meets every request after the first hundred with that fault.
        key_faults: The same for the requests of one key, by its id.
        hang_s: Seconds after which a hanging request is cut; None hangs until the client leaves.
        drip_s: Seconds between two bytes of a dripping body.
        reset_after_s: Seconds from now to the reset time that 1308 and 1310 name.
        retry_after: A `Retry-After` header for 429 and 503; Zhipu sends none (section 4).
    """

    latency_s: float = 0.2
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    limits: Mapping[str, int] = field(default_factory=lambda: dict(LIMITS))
    queue: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    rate_headers: bool = False
    outages: tuple[Outage, ...] = ()
    changes: tuple[Change, ...] = ()
    keys: frozenset[str] | None = None
    ledger: Path | None = None
    fail_after: tuple[int, str] | None = None
    key_faults: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    hang_s: float | None = None
    drip_s: float = 0.1
    reset_after_s: float = 5.0
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Refuse faults that do not exist or cannot all happen, and headers that say nothing.

        Raises:
            UsageError: the message says which.
        """
        after = [*([self.fail_after] if self.fail_after else ()), *self.key_faults.values()]
        names = [
            *self.faults,
            *(fault for _, fault in after),
            *(outage.fault for outage in self.outages),
        ]
        try:
            for name in names:
                check_fault_name(name)
        except ValueError as error:
            raise UsageError(str(error)) from None
        rates = list(self.faults.values())
        if any(not 0 <= rate <= 1 for rate in rates) or sum(rates) > 1 + 1e-9:
            raise UsageError("the rates of the simulator's faults must add up to 1 at most")
        if self.rate_headers and self.rpm is None and self.tpm is None:
            raise UsageError("the simulator's rate headers need a limit a minute to tell of")

    def limit_of(self, model: str) -> int | None:
        """Return how many requests for `model` may be in flight; None where there is no limit."""
        limit = self.limits.get(model)
        return self.limits.get("*") if limit is None else limit
