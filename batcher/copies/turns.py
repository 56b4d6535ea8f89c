"""Who goes on with a run, of processes that start at the same moment.

A store knows no locks, and a write may take long. So each of them puts an object of its own there
first, and only then lists what is there: of any two, the one that listed later sees the other. A
process begins only once it sees no other; the one that came first waits for those after it, which
give up as soon as they see it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from batcher.copies.latest import Writer
from batcher.copies.store import Store
from batcher.errors import LockedError, StorageError

# How often the first one looks whether others gave up, and how long it waits between.
_LOOKS = 60
_LOOK_S = 0.5

_MADE = re.compile(r"claim-([0-9a-f]{32})\.json\Z")


@dataclass(frozen=True, slots=True)
class Turns:
    """The claims that lie in a `store`; `pause` lets seconds pass."""

    store: Store
    clock: Callable[[], float]
    pause: Callable[[float], None]

    @contextlib.contextmanager
    def alone(self, writer: Writer) -> Iterator[None]:
        """Hold off others that start for a `with` block, in which `writer` is to become known.

        Who starts after the block finds out from what the block wrote.

        Raises:
            LockedError: another process is first.
            StorageError: the store cannot be used.
        """
        name = _name_of(writer.token)
        self.store.write(name, msgspec.json.encode(writer))
        try:
            gone = self._waited_for_others(writer)
            yield
        except (LockedError, StorageError):
            with contextlib.suppress(StorageError):
                self.store.remove(name)
            raise
        # One that stays counts for nothing once its process has ended.
        with contextlib.suppress(StorageError):
            for done in (name, *gone):
                self.store.remove(done)

    def _waited_for_others(self, writer: Writer) -> list[str]:
        """Return the claims of processes that are gone, once no other is left."""
        for _ in range(_LOOKS):
            listed, living, gone = self._look(writer)
            first = min(living, key=_order, default=writer)
            if _order(first) < _order(writer):
                break
            if listed and not living:
                return gone
            self.pause(_LOOK_S)
        if not living:
            # It may not list the claims of others either.
            raise StorageError(
                f"{self.store.url} does not list what was just written there, so that two runs "
                "could not tell that they are two; name another place for copies"
            )
        raise LockedError(
            held(self.store.url, first if first != writer else living[0], self.clock())
        )

    def _look(self, writer: Writer) -> tuple[bool, list[Writer], list[str]]:
        """Return whether the claim of `writer` is there, who else claims, and what is left over."""
        own = _name_of(writer.token)
        names = [name for name in self.store.names() if _MADE.match(name)]
        claims = [(name, self._claim(name)) for name in names if name != own]
        now = self.clock()
        living = [one for _, one in claims if one is not None and one.may_live(now)]
        gone = [name for name, one in claims if one is not None and not one.may_live(now)]
        return own in names, living, gone

    def _claim(self, name: str) -> Writer | None:
        content = self.store.read(name)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=Writer)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise StorageError(
                f"{self.store.url}/{name} cannot be understood ({error}): it is of another "
                "version of batcher, or damaged. Remove it, if no run is just starting"
            ) from None


def held(url: str, writer: Writer, now: float) -> str:
    """Say who works on the run whose copies are at `url`, and what to do about it."""
    held = f"another run keeps its copy at {url}: {writer}"
    if writer.process.is_alive():
        return f"{held}. Wait for it, or stop it"
    return (
        f"{held}; it was last seen {now - writer.seen:.0f} s ago. Should it have been killed, run "
        f"the same command again in {writer.silent_for(now):.0f} s"
    )


def _order(writer: Writer) -> tuple[float, str]:
    return writer.since, writer.token


def _name_of(token: str) -> str:
    return f"claim-{token}.json"
