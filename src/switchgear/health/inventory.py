"""The inventory of the destructive operations of a process: what each requires, where it is, what became of it.

Decorated functions are in it from their import on, blocks from their first use. What may not live here: any decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import DestructiveBlocked, OptionError
from switchgear.core.mutexes import new_mutex
from switchgear.health.obstacles import Obstacle

OPERATIONS_MAX = 10_000
"""Most operations of a process. One more is an `OptionError`, and is not done."""
_EXAMPLE = 'requires=("redis", "api_socket")'


@dataclass(frozen=True, slots=True)
class Blocked:
    """How an operation was held back the last time: `at` is seconds since the epoch, `message` is for people."""

    at: float
    code: Code
    dependency: str
    state: str
    retry_after: float | None
    message: str


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """A destructive operation, as the inventory lists it.

    requires      the dependencies that have to vouch for it.
    where         module and qualified name of the function, or of where its block was first entered.
    passed        how often it was let begin; `blocked` how often it was held back, at its beginning or later.
    last_blocked  the last time of these, or None.
    """

    name: str
    requires: tuple[str, ...]
    where: str
    passed: int
    blocked: int
    last_blocked: Blocked | None


class Operation:
    """A registered operation and its counts. They change in straight sections, so no lock is needed."""

    __slots__ = ("blocked", "last_blocked", "name", "passed", "requires", "where")

    def __init__(self, name: str, requires: tuple[str, ...], where: str) -> None:
        """Start with no counts."""
        self.name = name
        self.requires = requires
        self.where = where
        self.passed = 0
        self.blocked = 0
        self.last_blocked: Blocked | None = None

    def refused(self, obstacle: Obstacle, done: int, at: float) -> DestructiveBlocked:
        """Count a refusal at the epoch's second `at`, and return its error."""
        error = obstacle.refusal(self.name, done)
        self.blocked += 1
        self.last_blocked = Blocked(at, error.code, error.dependency, error.state, error.retry_after, error.message)
        return error

    def record(self) -> OperationRecord:
        """Return how it stands now."""
        return OperationRecord(self.name, self.requires, self.where, self.passed, self.blocked, self.last_blocked)


Listener = Callable[[Operation], object]


class Inventory:
    """Operations by name; at most `OPERATIONS_MAX`. `known` is for reading only."""

    __slots__ = ("_listeners", "_mutex", "known")

    def __init__(self) -> None:
        """Start empty."""
        self.known: dict[str, Operation] = {}
        self._mutex = new_mutex()
        self._listeners: tuple[tuple[Listener], ...] = ()

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every operation, those there are and each that comes. Return the function that ends it.

        It is told in the thread that registers, outside the lock, perhaps twice of one. It must neither wait nor raise.
        """
        entry = (listener,)  # one object for each subscription, also of the same listener
        with self._mutex:
            self._listeners = (*self._listeners, entry)
            known = tuple(self.known.values())
        for operation in known:
            listener(operation)

        def end() -> None:
            with self._mutex:
                self._listeners = tuple(kept for kept in self._listeners if kept is not entry)

        return end

    def register(self, name: str, requires: Sequence[str], where: str) -> Operation:
        """Return the operation of that name, which is made when it is new.

        Raises `OptionError` for requirements that name no dependency, for a name that was registered with other
        requirements, and when there are too many operations.
        """
        needed = checked_requires(requires)
        if not name or not isinstance(name, str):
            raise OptionError(f"a destructive operation has a name, such as 'sessions.delete', not {name!r}")
        listeners: tuple[tuple[Listener], ...] = ()
        with self._mutex:
            known = self.known.get(name)
            if known is None:
                known = self.known[name] = self._made(name, needed, where)
                listeners = self._listeners
        for entry in listeners:
            entry[0](known)
        if known.requires != needed:
            raise OptionError(
                f"{name} requires {known.requires} at {known.where}, and {needed} at {where}; write the same in both "
                "places, or give one of them another name"
            )
        return known

    def records(self) -> tuple[OperationRecord, ...]:
        """Return how every operation stands now, sorted by name."""
        with self._mutex:
            operations = sorted(self.known.items())
        return tuple(operation.record() for _, operation in operations)

    def _made(self, name: str, requires: tuple[str, ...], where: str) -> Operation:
        if len(self.known) >= OPERATIONS_MAX:
            raise OptionError(
                f"there are {OPERATIONS_MAX} destructive operations already, so {name} is not done; name an operation "
                "for what it does, such as 'sessions.delete', and not for what it is done to"
            )
        return Operation(name, requires, where)


def checked_requires(requires: Sequence[str]) -> tuple[str, ...]:
    """Return the names of dependencies as a tuple. Raises `OptionError` unless there is one, and each is a name."""
    if isinstance(requires, str) or not isinstance(requires, Sequence):
        raise OptionError(f"requires= is a tuple of names, not {requires!r}; write for example {_EXAMPLE}")
    if not requires:
        raise OptionError(f"a destructive operation requires at least one dependency; write for example {_EXAMPLE}")
    for name in requires:
        if not name or not isinstance(name, str):
            raise OptionError(f"requires= holds {name!r}, which is no name; write for example {_EXAMPLE}")
    return tuple(requires)


PROCESS = Inventory()
"""The inventory of this process, which every gate shares unless it is given another."""


def operations() -> tuple[OperationRecord, ...]:
    """Return every destructive operation that this process has registered, sorted by name."""
    return PROCESS.records()
