"""Faults: errors, latency, hangs and wrong results put into calls on purpose. Options and machine.

The place of fault injection among the policies is that of Polly's chaos strategies: innermost, so that every other
policy meets a fault as if the dependency had made it. The machine says what to inject; waiting, raising and altering
are the guard's work. Nothing is injected until somebody switches it on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from switchgear.core.errors import OptionError
from switchgear.policies.checks import MISSING, refused, require_count, require_seconds, require_share, require_word
from switchgear.policies.signatures import options

FaultKind = Literal["error", "latency", "hang", "wrong_result"]

_EXAMPLES: dict[str, str] = {
    "error": 'Fault("error", rate=0.1, error=ConnectionError)',
    "latency": 'Fault("latency", rate=0.1, seconds=2.0)',
    "hang": 'Fault("hang", rate=0.1)',
    "wrong_result": 'Fault("wrong_result", rate=0.1, result=None)',
}
_NEEDS: dict[str, str] = {"error": "error", "latency": "seconds", "hang": "", "wrong_result": "result"}


@options('Fault("latency", rate=0.1, seconds=1.0)')
@dataclass(frozen=True, slots=True)
class Fault:
    """Put one kind of fault into a share of the calls.

    kind        "error": raise instead of calling. "latency": wait, then go on. "hang": wait until the timeout of the
                attempt or a deadline ends it, and never call. "wrong_result": call, then answer something else.
    rate        share of the calls that are meant, above 0 and at most 1.
    error       for "error": an `Exception` class, an instance, of which each call raises a copy, or a function
                without arguments that makes one.
    seconds     for "latency": how long, above 0.
    result      for "wrong_result": what to answer, or a function of the real result. One that raises stands for an
                answer that was lost.
    tenants     names of the tenants to hit; default None: every call, also one without a tenant.
    operations  names of the operations to hit, each the qualified name of the function, or the name that
                ``using(operation=…)`` gives; default None: every one.
    limit       how many calls to hit at most, at least 1; default None: no end.

    A hang is never unbounded: the guard refuses a call with a hang to come when neither a timeout nor a deadline is in
    force. Raises `OptionError` for options that cannot work.
    """

    kind: FaultKind
    rate: float = field(kw_only=True)
    error: Exception | type[Exception] | Callable[[], Exception] | None = field(default=None, kw_only=True)
    seconds: float | None = field(default=None, kw_only=True)
    result: Any = field(default=MISSING, kw_only=True, hash=False)
    tenants: Collection[str] | None = field(default=None, kw_only=True)
    operations: Collection[str] | None = field(default=None, kw_only=True)
    limit: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options, and keep the names as sets."""
        require_word("Fault(kind)", self.kind, get_args(FaultKind), write=_EXAMPLES["error"])
        require_share("Fault(rate)", self.rate, write=_EXAMPLES[self.kind])
        self._check_arguments()
        if self.kind == "error":
            _require_error(self)
        if self.kind == "latency":
            require_seconds("Fault(seconds)", self.seconds, write=_EXAMPLES["latency"])
        if self.limit is not None:
            require_count("Fault(limit)", self.limit, write='Fault("hang", rate=0.1, limit=10)')
        object.__setattr__(self, "tenants", _names("Fault(tenants)", self.tenants))
        object.__setattr__(self, "operations", _names("Fault(operations)", self.operations))

    def _check_arguments(self) -> None:
        """Each kind takes the one argument that is its own, and no other."""
        given = {"error": self.error is not None, "seconds": self.seconds is not None}
        given["result"] = self.result is not MISSING
        needed = _NEEDS[self.kind]
        for name, is_given in given.items():
            if is_given != (name == needed):
                verb = "needs" if name == needed else "takes no"
                raise OptionError(f'Fault("{self.kind}") {verb} {name}=; write for example {_EXAMPLES[self.kind]}')

    def meets(self, tenant: str | None, operation: str) -> bool:
        """Return whether calls of `tenant` (None when not said) to `operation` are meant."""
        if self.tenants is not None and tenant not in self.tenants:
            return False
        return self.operations is None or operation in self.operations

    def made_error(self) -> Exception:
        """Return a fresh error to raise. Raises `TypeError` when the function of ``error=`` made none."""
        made = copy.copy(self.error) if isinstance(self.error, Exception) else self.error and self.error()
        if not isinstance(made, Exception):
            raise TypeError(f"the function of Fault(error=) has to return an Exception, not {made!r}")
        return made

    def altered(self, real: object) -> object:
        """Return what to answer in place of the `real` result."""
        return self.result(real) if callable(self.result) else self.result


def _require_error(fault: Fault) -> None:
    """Raise `OptionError` unless fresh errors can be had from ``error=``. A function is not called yet."""
    error: object = fault.error
    is_error = isinstance(error, Exception) or (isinstance(error, type) and issubclass(error, Exception))
    is_maker = callable(error) and not isinstance(error, (type, BaseException))
    if not is_error and not is_maker:
        wants = "needs an Exception class, an instance, or a function that makes one"
        raise refused("Fault(error)", wants, error, _EXAMPLES["error"])
    try:
        _ = is_error and fault.made_error()
    except TypeError as reason:
        raise OptionError(
            f"Fault(error={error!r}) cannot be made anew for each call ({reason}); "
            "give a function that makes it, and write for example "
            'Fault("error", rate=0.1, error=lambda: ConnectionError("down"))'
        ) from reason


def _names(option: str, names: object) -> frozenset[str] | None:
    """Return the names as a set, or None for all. Raise `OptionError` for what are none."""
    if names is None:
        return None
    chosen = tuple(names) if isinstance(names, Collection) and not isinstance(names, str) else ()
    if chosen and all(isinstance(name, str) and name for name in chosen):
        return frozenset(chosen)
    name = option.rstrip(")").partition("(")[2]
    raise OptionError(
        f"{option} needs one or more names, not {names!r}; "
        f'write for example Fault("hang", rate=0.1, {name}=("one",)), or leave it out'
    )


@dataclass(frozen=True, slots=True, init=False)
class Faults:
    """Inject the faults of these rules into the calls of a guard, once it is switched on.

    rules  each a `Fault`, at least one. They take effect in the order they are written, and several may hit the same
           call, such as latency and then an error.
    seed   whole number that the guard's draws start from; default 0. The same calls, one after the other, meet the
           same faults again.

    An injected fault stands where the dependency would: breakers, retries and statistics take it for real. Raises
    `OptionError` for options that cannot work.
    """

    rules: tuple[Fault, ...]
    seed: int

    def __init__(self, *rules: Fault, seed: int = 0) -> None:
        """Check the options."""
        if not rules or not all(isinstance(rule, Fault) for rule in rules):
            raise refused("Faults", "needs one or more rules, each a Fault", rules, f"Faults({_EXAMPLES['error']})")
        require_count("Faults(seed)", seed, least=0, write=f"Faults({_EXAMPLES['error']}, seed=7)")
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "seed", seed)

    @property
    def hangs(self) -> bool:
        """Whether a rule may make a call hang, so that a timeout or deadline has to be in force."""
        return any(rule.kind == "hang" for rule in self.rules)


class FaultsMachine:
    """Which faults hit a call, and how often each rule has hit. `on` is False until somebody sets it."""

    __slots__ = ("_hits", "_options", "on")

    def __init__(self, options: Faults) -> None:
        """Start switched off."""
        self._options = options
        self._hits = [0] * len(options.rules)
        self.on = False

    @property
    def draws(self) -> int:
        """How many draws `choose` takes: one a rule, whether or not it is meant, so that a run can be repeated."""
        return len(self._hits)

    @property
    def hits(self) -> tuple[int, ...]:
        """How many calls each rule has hit, in the order of the rules."""
        return tuple(self._hits)

    def choose(self, draws: Sequence[float], tenant: str | None, operation: str) -> tuple[Fault, ...]:
        """Return the faults to inject into a call, in order of effect, and count them. Mostly empty.

        `draws` has one number in [0, 1) for each rule; any other count is a `ValueError`. Waits and errors come before
        the call, in the order of the rules. An error or a hang ends it: nothing after that is chosen, and no wrong
        result. Wrong results come last, each made from the one before.
        """
        if not self.on:
            return ()
        drawn = list(zip(self._options.rules, draws, range(len(self._hits)), strict=True))
        hit = [
            at for rule, draw, at in drawn if draw < rule.rate and self._is_open(at) and rule.meets(tenant, operation)
        ]
        chosen = self._in_effect(hit)
        for at in chosen:
            self._hits[at] += 1
        return tuple(self._options.rules[at] for at in chosen)

    def reconfigure(self, options: Faults) -> None:
        """Go on under other rules. A rule that is the same as before keeps its count; `on` stays as it is."""
        before = list(zip(self._options.rules, self._hits, strict=True))
        self._options = options
        self._hits = [_taken_over(rule, before) for rule in options.rules]

    def _is_open(self, at: int) -> bool:
        limit = self._options.rules[at].limit
        return limit is None or self._hits[at] < limit

    def _in_effect(self, hit: list[int]) -> list[int]:
        """Leave out what would come after an error or a hang."""
        rules = self._options.rules
        before = [at for at in hit if rules[at].kind != "wrong_result"]
        for place, at in enumerate(before):
            if rules[at].kind != "latency":
                return before[: place + 1]
        return before + [at for at in hit if rules[at].kind == "wrong_result"]


def _taken_over(rule: Fault, before: list[tuple[Fault, int]]) -> int:
    """Return the count of the first rule of `before` that is the same, and take it out; 0 when there is none."""
    for place, (old, hits) in enumerate(before):
        if old == rule:
            del before[place]
            return hits
    return 0
