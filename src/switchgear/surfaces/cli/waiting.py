"""Everything on a command line that waits: for a server to be ready (`wait`), for an action or a saga (`--wait`).

Each wait has an end. Readiness is asked for again and again; for an outcome the server waits, a short time at once, so
that nothing on the way cuts the connection. What is asked, and how the answer is drawn, is for the command to say.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import typer

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.core.errors import Rejected
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import (
    CommandFailure,
    Unreached,
    failure_of_error,
    failure_of_interrupt,
    failure_of_usage,
    failure_to_reach,
)
from switchgear.surfaces.cli.keys import path_of
from switchgear.surfaces.cli.output import Tell, unheard
from switchgear.surfaces.cli.rendering import View, span
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, Session, UrlOption, examples, session
from switchgear.surfaces.cli.typed_times import length_option

WAIT_MAX = 3600.0
_LOOK_SECONDS_FIRST = 0.02
_LOOK_SECONDS_MAX = 1.0
_SERVER_SECONDS_MAX = 15
"""How long the server is asked to wait at once: well below the 30 to 60 seconds after which proxies hang up."""
_ANSWER_SECONDS_MIN = 0.1
GONE_SECONDS = 10.0
"""How long a server that has answered may be away: a restart is shorter, and what has died is not waited for."""
DOUBTFUL = frozenset({"in_doubt", "reconciling", "needs_operator"})
_UP_TO_PEOPLE = DOUBTFUL | {"pending_approval"}
_SEE_ITS_LOG = (
    "Look at what `switchgear up` has printed: if it listens elsewhere, name that with --url or SWITCHGEAR_URL; "
    "else give it longer with --for."
)

_SEE_WHY_IT_ENDED = "Look why `switchgear up` has ended, in what it has printed, and start it again."

WaitOption = Annotated[float, length_option("--wait", "Wait so long for the outcome", most=WAIT_MAX)]
ForOption = Annotated[float, length_option("--for", "Give up after so long", most=WAIT_MAX)]
SETTINGS = {"allow_extra_args": True}
"""How the framework is to read the line of `wait`: it hands over the id of an action, which is told better."""
EXAMPLES = examples("switchgear up --dev & switchgear wait", "switchgear wait --for 60 --json")


def wait(
    *, context: typer.Context, seconds: ForOption = 30.0, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL
) -> int:
    """Wait until the server is ready to take work. Needs no token.

    It may be started after this. When it is not ready in time, the failure says what was wrong last; until then a
    terminal shows it. A restored store that has to be thawed first ends the wait at once. A server that has answered
    and then is gone for 10 seconds ends it, too: it has died, and a restart is shorter.
    """
    _refuse_ids(context.args)
    with session(url, None, as_json=as_json) as opened:
        asked = opened.client.url
        with opened.output.busy(f"waiting for {asked}") as tell:
            found = until_ready(lambda left: opened.client.get("/readyz", within=left), seconds, where=asked, tell=tell)
        document = {"url": asked, **found}
        opened.output.answer(document, lambda console: console.print(f"[green]ready[/] {asked}", soft_wrap=True))
    return ExitCode.OK


def until_ready(
    ask: Callable[[float], View],
    seconds: float,
    *,
    where: str = "",
    tell: Tell = unheard,
    clock: Clock = SYSTEM_CLOCK,
) -> View:
    """Return the first answer of `ask`, which is told how many seconds it has and fails while nobody is ready.

    Asks at least once, and lets `tell` say what is wrong each time. Raises the `CommandFailure` of `ask` at once when
    waiting cannot mend it, and one with exit code UNAVAILABLE when `seconds` are over, or when a server that has
    answered is gone for `GONE_SECONDS`. A restored store that nobody has thawed is RESTORE_PENDING, at once.
    """
    until = clock.monotonic() + seconds
    contact, pause = _Contact(), _LOOK_SECONDS_FIRST
    while True:
        try:
            return ask(max(_ANSWER_SECONDS_MIN, until - clock.monotonic()))
        except CommandFailure as failure:
            _check_may_come(failure, where)
            now = clock.monotonic()
            if contact.lost(failure, now):
                raise _failure_of_death(failure, "", where) from failure
            if now >= until:
                detail = f"not ready within {span(seconds)}: {_words(failure)}"
                raise failure_to_reach(detail, where=where, advice=_advice_at_the_end(failure.advice)) from failure
            tell(f"waiting up to {span(seconds)}: {_words(failure)}")
        clock.sleep(min(pause, max(0.0, until - clock.monotonic())))
        pause = min(pause * 1.5, _LOOK_SECONDS_MAX)


@dataclass(slots=True)
class _Contact:
    """Whether a server has answered, and since when it does no more. Who was never there may still come."""

    met: bool = False
    away_since: float | None = None

    def found(self) -> None:
        """Note that it has answered."""
        self.met, self.away_since = True, None

    def lost(self, failure: CommandFailure, now: float) -> bool:
        """Note a failure, and return whether one that had answered is away for good."""
        if not isinstance(failure, Unreached):
            self.found()
        elif self.away_since is None:
            self.away_since = now
        return self.met and self.away_since is not None and now - self.away_since >= GONE_SECONDS


def _failure_of_death(failure: CommandFailure, goes_on: str, where: str) -> CommandFailure:
    """Say that a server which had answered is gone, and what goes on once it is back."""
    detail = f"the server has answered, and is gone for {span(GONE_SECONDS)}: {_words(failure)}"
    advice = f"{_SEE_WHY_IT_ENDED}{f' {goes_on}' if goes_on else ''}"
    return failure_to_reach(detail, where=where, advice=advice)


def _check_may_come(failure: CommandFailure, where: str) -> None:
    """Raise what no waiting mends: the failure itself, or RESTORE_PENDING where a person has to thaw the store."""
    if not _may_come(failure):
        raise failure
    if _has_to_be_thawed(failure):
        frozen = Rejected(code=Code.RESTORE_PENDING, policy="restore", state="frozen")
        raise failure_of_error(frozen, where=where) from failure


def _refuse_ids(words: Sequence[str]) -> None:
    """Raise `CommandFailure` (USAGE) for an id: it says which command waits for the end of what has it."""
    if words:
        group = "sagas" if words[0].startswith("sga_") else "intents"
        raise failure_of_usage(
            f"this waits for a server, and {shlex.join(words)} is none",
            advice=f"For the end of an action write: switchgear {group} show {shlex.quote(words[0])} --wait 30",
        )


def _advice_at_the_end(advice: str) -> str:
    """Return what to do when a server was not ready in time; what `advice` knows of another address comes first."""
    if "--url http" not in advice:
        return _SEE_ITS_LOG
    return f"{advice}{' ' if advice.endswith('.') else '; else: '}{_SEE_ITS_LOG}"


def is_settled(intent: View) -> bool:
    """Return whether waiting is of no use: it is final, in doubt, or somebody has to decide."""
    return intent["final"] or intent["state"] in _UP_TO_PEOPLE


@dataclass(frozen=True, slots=True)
class Awaited:
    """A kind of thing that can be waited for, by its noun. `path_of` is where the server shows the one of an id.

    `settled` says of one that waiting is of no use any more.
    """

    noun: str
    path_of: Callable[[str], str]
    settled: Callable[[View], bool]


INTENT = Awaited("intent", path_of, is_settled)


def until_settled(
    opened: Session, view: View, until: float, *, kind: Awaited = INTENT, clock: Clock = SYSTEM_CLOCK
) -> View:
    """Return what `view` shows once it is settled or needs a person, or as it stands when `clock` reaches `until`.

    The server waits. Where it does not, since too many wait or it stops, it is asked again after pauses that grow to
    a second; so is one that is away, as in a restart, for at most `GONE_SECONDS`. The mark of a repeat stays on it. On
    a terminal something turns meanwhile. Raises `CommandFailure` for a server that is gone, and for Ctrl-C, which says
    that it goes on.
    """
    name = view["id"]
    try:
        if kind.settled(view) or clock.monotonic() >= until:
            return view
        with opened.output.busy(f"waiting for {name}"):
            return _outcome(opened.client, view, until, kind, clock)
    except KeyboardInterrupt:
        raise failure_of_interrupt(_goes_on(kind, name), **{kind.noun: name}) from None


def exit_code_of(intent: View, *, waited: bool) -> int:
    """Return the exit code of an intent as it stands; not settled counts only when somebody waited."""
    if intent["state"] == "succeeded":
        return ExitCode.OK
    if intent["state"] in DOUBTFUL:
        return ExitCode.IN_DOUBT
    if intent["final"]:
        return FACTS[Code(intent["code"])].exit_code if intent.get("code") else ExitCode.FAILED
    if waited and intent["state"] == "pending_approval":
        return FACTS[Code.APPROVAL_REQUIRED].exit_code
    return ExitCode.TIMEOUT if waited else ExitCode.OK


def _outcome(client: Client, view: View, until: float, kind: Awaited, clock: Clock) -> View:
    """Ask the server to wait, as often as it takes. An answer that came at once, or none, is followed by a pause."""
    path, pause, contact = kind.path_of(view["id"]), _LOOK_SECONDS_FIRST, _Contact(met=True)
    while True:
        asked_at = clock.monotonic()
        wait = min(int(max(0.0, until - asked_at)), _SERVER_SECONDS_MAX)
        try:
            latest = {**client.get(path, wait=wait), "replayed": view.get("replayed", False)}
        except Unreached as failure:
            _check_is_back_in_time(contact, failure, until, clock.monotonic(), _goes_on(kind, view["id"]))
        else:
            contact.found()
            if kind.settled(latest) or clock.monotonic() >= until:
                return latest
        now = clock.monotonic()
        if wait == 0 or now - asked_at < wait:
            clock.sleep(min(pause, until - now))
            pause = min(pause * 1.5, _LOOK_SECONDS_MAX)


def _check_is_back_in_time(contact: _Contact, failure: Unreached, until: float, now: float, goes_on: str) -> None:
    """Raise `CommandFailure` when a server is away for longer than a restart takes, or the time is up."""
    if contact.lost(failure, now):
        raise _failure_of_death(failure, goes_on, failure.where) from failure
    if now >= until:
        raise failure


def _goes_on(kind: Awaited, name: str) -> str:
    return f"{name} goes on; see: switchgear {kind.noun}s show {name}"


def _may_come(failure: CommandFailure) -> bool:
    return failure.exit_code == ExitCode.UNAVAILABLE or failure.problem.get("status") == HTTPStatus.SERVICE_UNAVAILABLE


def _has_to_be_thawed(failure: CommandFailure) -> bool:
    parts = failure.problem.get("parts")
    return isinstance(parts, dict) and parts.get("restore") == Code.RESTORE_PENDING


def _words(failure: CommandFailure) -> str:
    """Say what was wrong: the parts that are not ready, where the server named them."""
    parts = failure.problem.get("parts")
    wrong = [f"{name}: {state}" for name, state in parts.items() if state != "ok"] if isinstance(parts, dict) else []
    return ", ".join(wrong) or str(failure)
