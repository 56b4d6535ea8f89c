"""What the end of a call means: for its row, its key, the endpoint, and the run.

reliability.md section C; protocol.md section 3 for the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from batcher.engine.admission import Admission, Permit, RunStoppedError
from batcher.engine.policy.lane import Account, Lane
from batcher.engine.policy.signal import Signal, signal_of
from batcher.engine.policy.spending import Bill
from batcher.errors import Action, ErrorClass, Halt, Problem, ProviderError
from batcher.records import Completion
from batcher.wording import lasting

# Where the provider names a moment, a little later is safer: its clock is not ours.
RESET_MARGIN_S = 2.0
# A wait that a user would notice.
_WORTH_SAYING_S = 5.0


class Verdict(NamedTuple):
    """What a failure means for its row: whether it counts, and whether to call again at once."""

    counts: bool
    at_once: bool = False


def named_wait(error: ProviderError, now: float) -> float | None:
    """Return the seconds from `now` (Unix) that a provider asks to wait, if it does.

    The longer one, where it says two.
    """
    waits = [] if error.retry_after is None else [error.retry_after]
    if error.resets_at is not None:
        waits.append(max(0.0, error.resets_at.timestamp() - now) + RESET_MARGIN_S)
    return max(waits, default=None)


@dataclass(frozen=True, slots=True)
class Judge:
    """Draws the consequences of how calls end.

    A wait of more than `max_wait` seconds, named by the provider, sets a key aside; an outage of
    `max_outage` seconds ends the run.
    """

    admission: Admission
    max_wait: float
    max_outage: float
    clock: Callable[[], float]
    uniform: Callable[[float, float], float]
    on_notice: Callable[[str], None]

    def completed(self, permit: Permit, completion: Completion, cost: int | None) -> None:
        """Take in an answer, which cost so many nanos if that is known."""
        lane, way, wish = permit.lane, permit.way, permit.wish
        now = self.admission.monotonic()
        usage = completion.usage
        known = usage.prompt_tokens is not None and usage.completion_tokens is not None
        used = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        permit.spent = Bill(
            used if known else wish.worst.tokens, wish.worst.cost if cost is None else cost
        )
        if lane.answered(now, way, used if known else way.tokens):
            self._say(lane, "The endpoint is back")
        lane.forecast.learn(wish.prompt, usage)
        wait = lane.learn(now, completion.rate_limits)
        if wait:
            lane.account.pause(now, wait, _USED_UP)

    def failed(
        self, permit: Permit, error: ProviderError, *, telling: bool, expired_again: bool
    ) -> Verdict:
        """Take in a failure.

        `telling` is as in `Breaker.heard`; `expired_again` says that the row's last two calls by
        this key ended in an expired token, though it was signed anew between them.

        Raises:
            RunStoppedError: no further call can succeed.
        """
        lane, problem = permit.lane, error.problem
        error_class, signal = problem.error_class, signal_of(problem.error_class)
        now = self.admission.monotonic()
        turned = lane.failed(now, permit.way, signal, problem, telling=telling)
        if turned and lane.breaker.is_open:
            self._say(lane, f"The endpoint is down ({problem.message}). Rows wait for it")
        elif turned:
            self._say(lane, "The endpoint is back")
        self._check_outage(lane, now)
        used_up = lane.learn(now, error.rate_limits)
        wait = max(filter(None, (used_up, named_wait(error, self.clock()))), default=None)
        match error_class.rule.action:
            case Action.STOP_RUN:
                return self._stop(lane, problem)
            case Action.RETRY if error_class is ErrorClass.TOKEN_EXPIRED:
                if expired_again:
                    return self._stop(lane, problem)
                lane.account.renew()
            case Action.WAIT if wait is None:
                return self._stop(lane, problem)
            case Action.RETRY | Action.WAIT if wait is not None:
                if wait > self.max_wait:
                    return self._stop(lane, problem)
                self._pause(lane.account, now, wait, problem)
            case _:
                pass
        own = signal is Signal.ANSWERED or lane.breaker.is_healthy(now)
        return Verdict(error_class.rule.counts and own)

    def _pause(self, account: Account, now: float, wait: float, problem: Problem) -> None:
        seconds = wait + self.uniform(0, wait / 10)
        if account.pause(now, seconds, problem) and wait >= _WORTH_SAYING_S:
            self.on_notice(
                f"{self._name(account)} is paused for {lasting(seconds)}, as the provider asks: "
                f"{problem.message}"
            )

    def _stop(self, lane: Lane, problem: Problem) -> Verdict:
        """Set aside what can be used no more; the row goes on elsewhere, if there is anything.

        Raises:
            RunStoppedError: there is not.
        """
        account, error_class = lane.account, problem.error_class
        if error_class is ErrorClass.ENDPOINT_UNKNOWN:
            raise self._halt(problem, error_class.rule.exit_code)
        news = lane.is_usable
        if error_class is ErrorClass.MODEL_UNAVAILABLE:
            lane.closed = problem
        else:
            account.set_aside = account.set_aside or problem
        accounts = self.admission.accounts
        if not all(any(other.is_usable for other in lanes) for lanes in self.admission.by_model()):
            # While a quota only has to reset somewhere, trying later is useful.
            codes = [a.set_aside.error_class.rule.exit_code for a in accounts if a.set_aside]
            raise self._halt(problem, min(codes, default=error_class.rule.exit_code))
        if news:
            left = sum(other.set_aside is None for other in accounts)
            what = f" for {lane.model}" if lane.closed else ""
            self.on_notice(
                f"{self._name(account)} is set aside{what}: {problem.message}. {left} of "
                f"{len(accounts)} keys left"
            )
            self.admission.look_again()
        return Verdict(counts=False, at_once=True)

    def _check_outage(self, lane: Lane, now: float) -> None:
        """End the run where the endpoint has been down for too long.

        Raises:
            RunStoppedError: it has.
        """
        lanes = [other for other in self.admission.lanes(lane.model) if other.is_usable]
        since = [other.breaker.since for other in lanes if other.breaker.since is not None]
        if since and len(since) == len(lanes) and now - max(since) >= self.max_outage:
            last = lane.last_problem.message if lane.last_problem else "nothing gets through"
            halt = Halt(
                f"The endpoint has been down for {lasting(now - max(since))}: {last}. "
                "The same command goes on once it is back."
            )
            self.admission.halt(halt)
            raise RunStoppedError

    def _halt(self, problem: Problem, exit_code: int) -> RunStoppedError:
        code = f" (code {problem.code})" if problem.code else ""
        reason = (
            f"Stopped by the provider: {problem.message}{code}. {problem.error_class.rule.hint}"
        )
        self.admission.halt(Halt(reason, exit_code))
        return RunStoppedError()

    def _say(self, lane: Lane, text: str) -> None:
        several = len(self.admission.accounts) > 1
        self.on_notice(f"{text} ({self._name(lane.account)}, {lane.model})" if several else text)

    def _name(self, account: Account) -> str:
        many = len(self.admission.accounts)
        return f"Key {account.number} of {many}" if many > 1 else "The key"


_USED_UP = Problem(ErrorClass.THROTTLED, "the limit that its headers name is used up")
