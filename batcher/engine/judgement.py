"""What the end of a call means: for its row, its key, the endpoint, and the run.

reliability.md section C; protocol.md section 3 for the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from batcher.engine.admission import Admission, RunStoppedError
from batcher.engine.policy.breaker import Uniform
from batcher.engine.policy.lane import Account, Lane
from batcher.engine.policy.signal import Signal, signal_of
from batcher.engine.policy.spending import Bill
from batcher.engine.waiting import Permit
from batcher.errors import Action, ErrorClass, Halt, Problem, ProviderError
from batcher.limits import RateLimits
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
    uniform: Uniform
    on_notice: Callable[[str], None]

    def completed(self, permit: Permit, completion: Completion, cost: int | None) -> None:
        """Take in an answer, which cost so many nanos if that is known."""
        lane, way, wish = permit.lane, permit.way, permit.wish
        permit.judged = True
        now = self.admission.monotonic()
        usage = completion.usage
        known = usage.prompt_tokens is not None and usage.completion_tokens is not None
        used = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        permit.spent = Bill(
            used if known else wish.worst.tokens, wish.worst.cost if cost is None else cost
        )
        self._accepted(permit)
        if lane.answered(now, way, used if known else way.tokens):
            self._say(lane, "The endpoint is back")
        lane.forecast.learn(wish.prompt, usage)
        self._keep_to(lane, now, completion.rate_limits)

    def failed(self, permit: Permit, error: ProviderError, *, telling: bool) -> Verdict:
        """Take in a failure; `telling` is as in `Breaker.heard`.

        Raises:
            RunStoppedError: no further call can succeed.
        """
        lane, problem = permit.lane, error.problem
        permit.judged = True
        error_class, signal = problem.error_class, signal_of(problem.error_class)
        now = self.admission.monotonic()
        turned = lane.failed(now, permit.way, signal, telling=telling)
        if turned and lane.breaker.is_open:
            self._say(lane, f"The endpoint is down ({problem.message}). Rows wait for it")
        elif turned:
            self._say(lane, "The endpoint is back")
        if signal is not Signal.ANSWERED:
            self._check_outage(permit, problem, now)
        used_up = self._keep_to(lane, now, error.rate_limits)
        if not self._is_of_use(permit, error, now, used_up):
            if not self._set_aside(lane, problem):
                raise RunStoppedError
            return Verdict(counts=False, at_once=True)
        own = signal is Signal.ANSWERED or lane.breaker.is_healthy(now)
        return Verdict(error_class.rule.counts and own)

    def _is_of_use(self, permit: Permit, error: ProviderError, now: float, used_up: float) -> bool:
        """Return whether calls by this lane can succeed, if need be after a wait or a new token."""
        error_class, account = error.problem.error_class, permit.lane.account
        if error_class is ErrorClass.TOKEN_EXPIRED:
            return self._renewed(permit)
        if signal_of(error_class) in (Signal.ANSWERED, Signal.THROTTLED):
            self._accepted(permit)
        # To wait no time at all is no wish.
        wait = named_wait(error, self.clock()) or None
        match error_class.rule.action:
            case Action.STOP_RUN:
                return False
            case Action.WAIT if wait is None:
                return used_up > 0
            case Action.RETRY | Action.WAIT if wait is not None:
                if wait > self.max_wait:
                    return False
                self._pause(account, now, wait, error.problem)
            case _:
                pass
        return True

    def _accepted(self, permit: Permit) -> None:
        """Note that the token of a call was not refused."""
        account = permit.lane.account
        if permit.token == account.renewals:
            account.unproven = False

    def _renewed(self, permit: Permit) -> bool:
        """Sign an expired token anew, once for all calls; return whether there is hope in that."""
        account = permit.lane.account
        if permit.token < account.renewals:
            return True
        if account.unproven:
            return False
        account.renew()
        account.renewals += 1
        account.unproven = True
        return True

    def _keep_to(self, lane: Lane, now: float, limits: RateLimits | None) -> float:
        """Keep to the limits that a provider names; return the seconds to wait, if any."""
        wait = lane.learn(now, limits)
        if wait > self.max_wait:
            self._set_aside(lane, _USED_UP)
        elif wait:
            self._pause(lane.account, now, wait, _USED_UP)
        return wait

    def _pause(self, account: Account, now: float, wait: float, problem: Problem) -> None:
        seconds = wait + self.uniform(0, wait / 10)
        if account.pause(now, seconds) and wait >= _WORTH_SAYING_S:
            self.on_notice(
                f"{self._name(account)} is paused for {lasting(seconds)}, as the provider asks: "
                f"{problem.message}"
            )

    def _set_aside(self, lane: Lane, problem: Problem) -> bool:
        """Use a lane or its key no more; return whether the run goes on with others."""
        account, accounts = lane.account, self.admission.accounts
        own = problem.error_class.rule.exit_code
        if problem.error_class is ErrorClass.ENDPOINT_UNKNOWN:
            return self._halt(problem, own)
        if problem.error_class is ErrorClass.MODEL_UNAVAILABLE:
            news, what = lane.is_usable, f" for {lane.model}"
            lane.closed = problem
        else:
            news, what = account.set_aside is None, ""
            account.set_aside = account.set_aside or problem
        if not all(any(other.is_usable for other in lanes) for lanes in self.admission.by_model()):
            # While a quota only has to reset somewhere, trying later is useful.
            codes = [a.set_aside.error_class.rule.exit_code for a in accounts if a.set_aside]
            return self._halt(problem, min(codes, default=own))
        if news:
            left = sum(other.set_aside is None for other in accounts)
            self.on_notice(
                f"{self._name(account)} is set aside{what}: {problem.message}. {left} of "
                f"{len(accounts)} keys left"
            )
        return True

    def _check_outage(self, permit: Permit, problem: Problem, now: float) -> None:
        """End the run where all that a row may be answered by has been down for too long.

        Raises:
            RunStoppedError: it has.
        """
        if not permit.lane.breaker.is_open:
            return
        ways = [way for model in permit.wish.models for way in self.admission.lanes(model)]
        since = [way.breaker.since for way in ways if way.is_usable]
        down_since = [moment for moment in since if moment is not None]
        if not down_since or len(down_since) < len(since):
            return
        lasted = now - max(down_since)
        if lasted < self.max_outage:
            return
        halt = Halt(
            f"The endpoint has been down for {lasting(lasted)}: {problem.message}. "
            "The same command goes on once it is back.",
            error_class=problem.error_class,
        )
        self.admission.halt(halt)
        raise RunStoppedError

    def _halt(self, problem: Problem, exit_code: int) -> bool:
        """Make no more calls; return False, for the run does not go on."""
        code = f" (code {problem.code})" if problem.code else ""
        reason = (
            f"Stopped by the provider: {problem.message}{code}. {problem.error_class.rule.hint}"
        )
        self.admission.halt(Halt(reason, exit_code, problem.error_class))
        return False

    def _say(self, lane: Lane, text: str) -> None:
        several = len(self.admission.accounts) > 1
        self.on_notice(f"{text} ({self._name(lane.account)}, {lane.model})" if several else text)

    def _name(self, account: Account) -> str:
        many = len(self.admission.accounts)
        return f"Key {account.number} of {many}" if many > 1 else "The key"


_USED_UP = Problem(ErrorClass.THROTTLED, "the limit that its headers name is used up")
