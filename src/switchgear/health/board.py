"""`HealthBoard`: where every dependency of a process stands. Safe from any thread; reading it takes no lock.

It keeps a machine for each dependency and tells what changes. It observes nothing by itself: `traffic` and `prober`
do, and whoever else calls `observe`.
"""

from __future__ import annotations

import random as randomness
from collections.abc import Callable, Iterable
from math import inf

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.core.mutexes import new_mutex
from switchgear.guard.jitter import JITTER
from switchgear.health.ageing import Ageing
from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.machine import Change, HealthMachine
from switchgear.health.schedule import NO_BREAKER, BreakerView, next_probe
from switchgear.health.standing import Health, Standing
from switchgear.health.telling import HealthChanged, Listener, Teller
from switchgear.health.waiting import Wait

DEPENDENCIES_MAX = 1_000
"""Dependencies of one board at most."""
_READ_AGAIN_SECONDS = 0.01


class HealthBoard:
    """Where the dependencies of this process stand.

    dependencies   those declared at once; `declare` adds more, up to `DEPENDENCIES_MAX`.
    clock, random  time and randomness, to be replaced in tests.

    Raises `OptionError` for two dependencies of one name that differ, and above the maximum.
    """

    __slots__ = ("_clock", "_draw", "_mutex", "_now", "_slots", "_teller")

    def __init__(
        self,
        dependencies: Iterable[Dependency] = (),
        *,
        clock: Clock = SYSTEM_CLOCK,
        random: randomness.Random | None = None,
    ) -> None:
        """Declare `dependencies`. Nothing is known of them yet."""
        self._clock = clock
        self._now = Ageing(clock).now
        self._draw = (random or JITTER).random
        self._mutex = new_mutex()
        self._slots: dict[str, _Slot] = {}
        self._teller = Teller()
        for dependency in dependencies:
            self.declare(dependency)

    def declare(self, dependency: Dependency) -> None:
        """Add a dependency, unknown at first. The same one again changes nothing.

        Raises `OptionError` for another one of the same name, and above `DEPENDENCIES_MAX`.
        """
        with self._mutex:
            known = self._slots.get(dependency.name)
            if known is not None and known.machine.dependency != dependency:
                raise OptionError(
                    f"the dependency {dependency.name!r} is declared already, and otherwise: {known.machine.dependency}"
                )
            if known is None and len(self._slots) >= DEPENDENCIES_MAX:
                raise OptionError(f"a board has at most {DEPENDENCIES_MAX} dependencies; {dependency.name!r} is above")
            if known is None:
                self._slots[dependency.name] = _Slot(HealthMachine(dependency, self._now()))

    def dependency(self, name: str) -> Dependency:
        """Return the dependency of that name. Raises `OptionError` when none was declared."""
        return self._slot(name).machine.dependency

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that were declared, sorted."""
        return tuple(sorted(self._slots.copy()))

    @property
    def clock(self) -> Clock:
        """The clock that it goes by."""
        return self._clock

    def now(self) -> float:
        """Return its seconds: monotonic ones, and those that the machine seems to have slept since it was made."""
        return self._now()

    def observe(
        self,
        name: str,
        polarity: Polarity | str,
        source: Source | str,
        *,
        detail: str = "",
        seconds: float | None = None,
        failed: float = 0.0,
        age: float = 0.0,
        at: float | None = None,
    ) -> None:
        """Take an observation of the dependency `name`, and tell listeners what changes by it.

        detail   for people, without secrets; 200 characters are kept.
        seconds  how long the answer took, None when that is not known.
        failed   share of what was looked at that failed, 0 to 1.
        age      seconds since it was made, at least 0; default: now.
        at       when it was made, by the seconds of `now`; what stands still between the two makes nothing younger.

        What an operator observes holds until a positive observation of an operator withdraws it. Raises `OptionError`
        for a name that was not declared.
        """
        slot, now = self._slot(name), self._now()
        made = now - max(0.0, age) if at is None else min(at, now)
        evidence = Evidence(Polarity(polarity), Source(source), made, detail, seconds, failed)
        with slot.mutex:
            slot.draw = self._draw()
            self._keep(slot, slot.machine.observe(evidence, now), now)
        self._teller.tell()

    def standing(self, name: str) -> Standing:
        """Return where `name` stands now: unknown for one that was never declared. Tells nobody, and changes nothing.

        Its state is exact. Its seconds are as of at most a hundredth of a second ago.
        """
        slot = self._slots.get(name)
        if slot is None:
            return Standing(
                name=name, state=Health.UNKNOWN, critical=False, age=None, state_age=0.0, reason="not declared"
            )
        now = self._now()
        standing, since, until = slot.seen  # one read: the three belong together
        if standing is not None and since <= now < until:
            return standing
        with slot.mutex:
            return slot.read(now)

    def standings(self) -> tuple[Standing, ...]:
        """Return where all stand, sorted by name, as `standing` does."""
        return tuple(self.standing(name) for name in self.names)

    def wait_until(self, name: str, state: Health | str = Health.HEALTHY, *, timeout: float) -> Standing:
        """Block this thread until `name` is in `state`, and return where it stands then.

        timeout  seconds, above 0; the deadline in force bounds it too.

        Raises `DeadlineExceeded`, which says where it stands instead, and `OptionError` for a name that was not
        declared.
        """
        self._slot(name)
        with Wait(self, name, state, timeout) as wait:
            while (seconds := wait.step()) > 0:
                wait.bell.wait(self._clock, seconds)
            return wait.standing

    async def wait_until_async(self, name: str, state: Health | str = Health.HEALTHY, *, timeout: float) -> Standing:
        """Suspend this task until `name` is in `state`, as `wait_until` does."""
        self._slot(name)
        with Wait(self, name, state, timeout) as wait:
            while (seconds := wait.step()) > 0:
                await wait.bell.wait_async(self._clock, seconds)
            return wait.standing

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every `HealthChanged`. Return the function that ends it.

        Listeners are called in the thread that observed, outside every lock, in order. One that raises is counted.
        """
        return self._teller.subscribe(listener)

    def elapse(self) -> float:
        """Tell what the passing of time alone has changed. Return the seconds until it may again, inf for never.

        Readers see such a change at once by themselves; this is for those who listen. It also writes the log lines that
        were left out and still hold. The prober calls it.
        """
        now, due = self._now(), inf
        for slot in tuple(self._slots.values()):
            with slot.mutex:
                self._keep(slot, slot.machine.elapse(now), now)
                due = min(due, slot.machine.due)
        self._teller.tell()
        due = min(due, self._teller.catch_up(now, self.standing))
        return max(0.0, due - now)

    def watch_breaker(self, name: str, view: Callable[[], BreakerView] | None) -> None:
        """Let probes of `name` be driven by a breaker: `view` says how it stands, quickly, and asks no board."""
        slot = self._slot(name)
        with slot.mutex:
            slot.view = view

    def plan_probes(self, name: str, *, probed: bool = True, spared: bool = True) -> None:
        """Say that somebody probes `name`, or does no more. Only then is it known when it is looked at again.

        `spared` says whether calls that succeed spare probes; not where other processes rely on them.
        """
        slot, now = self._slot(name), self._now()
        with slot.mutex:
            slot.probed, slot.spared = probed, spared
            self._plan(slot, now)

    def probe_in(self, name: str) -> float:
        """Return the seconds until `name` is to be probed, 0 when at once, inf when nobody probes it."""
        slot, now = self._slot(name), self._now()
        with slot.mutex:
            self._plan(slot, now)
            return inf if slot.next_look is None else max(0.0, slot.next_look - now)

    @property
    def listener_errors(self) -> int:
        """Exceptions that listeners raised."""
        return self._teller.listener_errors

    @property
    def events_dropped(self) -> int:
        """Events that no listener got, because too many waited for slow ones."""
        return self._teller.events_dropped

    def _slot(self, name: str) -> _Slot:
        slot = self._slots.get(name)
        if slot is None:
            raise OptionError(
                f"no dependency {name!r} is declared; write for example "
                f'board.declare(Dependency({name!r}, kind="function"))'
            )
        return slot

    def _plan(self, slot: _Slot, now: float) -> None:
        """Work out when it is looked at next. The draw is that of the last observation: asking moves nothing."""
        breaker = NO_BREAKER if slot.view is None else slot.view()
        if slot.probed:
            slot.next_look = next_probe(slot.machine, breaker, now, slot.draw, spared=slot.spared)
        else:
            slot.next_look = None if not breaker.retry_after else now + breaker.retry_after
        slot.seen = _NOT_SEEN

    def _keep(self, slot: _Slot, changes: tuple[Change, ...], now: float) -> None:
        """Keep the events of what changed, under the mutex of the slot so that they stay in order."""
        self._plan(slot, now)
        epoch = self._clock.time() - now
        for change in changes:
            self._teller.keep(_event(slot, change, epoch, now))


class _Slot:
    """One dependency: its machine under a mutex, when it is probed next, and what was last read of it."""

    __slots__ = ("draw", "machine", "mutex", "next_look", "probed", "seen", "spared", "view")

    def __init__(self, machine: HealthMachine) -> None:
        self.mutex = new_mutex()
        self.machine = machine
        self.draw = 0.5
        self.probed = False
        self.spared = True
        self.next_look: float | None = None
        self.view: Callable[[], BreakerView] | None = None
        self.seen: tuple[Standing | None, float, float] = _NOT_SEEN

    def read(self, now: float) -> Standing:
        """Return where it stands, and keep that for a moment; never beyond one at which it changes."""
        machine = self.machine.as_of(now)
        standing = machine.standing(now, self.next_look)
        self.seen = (standing, now, min(now + _READ_AGAIN_SECONDS, machine.due))
        return standing


_NOT_SEEN: tuple[None, float, float] = (None, 0.0, 0.0)


def _event(slot: _Slot, change: Change, epoch: float, now: float) -> HealthChanged:
    next_look = slot.next_look
    return HealthChanged(
        name=slot.machine.dependency.name,
        critical=slot.machine.dependency.critical,
        before=change.before,
        after=change.after,
        reason=change.reason,
        retry_after=None if next_look is None else max(0.0, next_look - now),
        flapping=change.flapping,
        at=epoch + change.at,
        monotonic=change.at,
    )
