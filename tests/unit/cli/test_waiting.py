"""Waiting on a command line: it has an end, says what it waited for, and gives up at once on what cannot come."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.surfaces.cli import session as sessions
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.waiting import GONE_SECONDS, until_ready, until_settled
from tests.unit.cli.test_reference import NO_SERVICES

READY = {"ready": True, "parts": {"ledger": "ok"}}
NOT_READY = {"ready": False, "parts": {"engine": "ok", "ledger": "LEDGER_UNAVAILABLE"}}
MARK = {"Switchgear-API": "v1"}
"""What every answer of a server of ours carries."""
Answer = Callable[[httpx2.Request], httpx2.Response]


def refused(request: httpx2.Request) -> httpx2.Response:
    """Be no server."""
    raise httpx2.ConnectError("made up", request=request)


@dataclass
class Remote:
    """Answers with `script`, one after the other, and its last one from then on.

    `asked_at` says when it was asked, and `waits` for how many seconds it was to wait for an outcome.
    """

    script: list[Answer]
    clock: VirtualClock = field(default_factory=VirtualClock)
    asked_at: list[float] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)

    def session(self) -> sessions.Session:
        """Return a session with this remote."""
        client = Client("http://127.0.0.1:1", None, transport=httpx2.MockTransport(self._answer))
        return sessions.Session(client, Output(as_json=True))

    def until_ready(self, seconds: float) -> View:
        """Wait for it to be ready, and return what it said."""
        client = self.session().client
        return until_ready(lambda left: client.get("/readyz", within=left), seconds, clock=self.clock)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked_at.append(self.clock.monotonic())
        self.waits.append(int(request.headers.get("Prefer", "wait=0").removeprefix("wait=")))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return answer(request)


def saying(status: int, document: dict[str, Any]) -> Answer:
    """Return what answers with `document`."""
    return lambda _: httpx2.Response(status, json=document, headers=MARK)


def waiting(clock: VirtualClock, state: str) -> Answer:
    """Return what lets the seconds pass that it is asked to wait, and then shows an intent in `state`."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        clock.advance(float(request.headers.get("Prefer", "wait=0").removeprefix("wait=")))
        return httpx2.Response(200, json=intent(state), headers=MARK)

    return answer


def intent(state: str, *, final: bool = False) -> dict[str, Any]:
    """Return what is known of an intent in `state`."""
    return {"id": "int_1", "state": state, "final": final, "code": None}


def test_who_waits_for_a_server_may_begin_before_it_is_there() -> None:
    """Neither nobody at the address nor a server that is not ready yet ends the wait; the first readiness does."""
    remote = Remote([refused, refused, saying(503, NOT_READY), saying(200, READY)])
    assert remote.until_ready(30.0) == READY
    assert len(remote.asked_at) == 4


@pytest.mark.parametrize(
    ("answer", "words"), [(refused, "no server is running"), (saying(503, NOT_READY), "ledger: LEDGER_UNAVAILABLE")]
)
def test_wait_for_a_server_ends_and_says_what_was_wrong(answer: Answer, words: str) -> None:
    """Law 1: at the end of its time it fails with what was wrong last, and looks at most once a second until then."""
    remote = Remote([answer])
    with pytest.raises(CommandFailure, match=words) as caught:
        remote.until_ready(30.0)
    assert (caught.value.exit_code, remote.asked_at[-1] - remote.asked_at[0]) == (ExitCode.UNAVAILABLE, 30.0)
    assert len(remote.asked_at) < 50
    assert "not ready within 30 s" in str(caught.value)


def test_who_waits_sees_at_once_that_nobody_answers() -> None:
    """Each look tells what was wrong, long before the time is over: nobody waits in the dark for what has died."""
    remote, told = Remote([refused, saying(503, NOT_READY), saying(200, READY)]), list[str]()
    client = remote.session().client
    until_ready(lambda left: client.get("/readyz", within=left), 30.0, tell=told.append, clock=remote.clock)
    assert told == [
        "waiting up to 30 s: no server is running at http://127.0.0.1:1",
        "waiting up to 30 s: ledger: LEDGER_UNAVAILABLE",
    ]


@pytest.mark.parametrize(("name", "command"), [("int_1", "intents show int_1"), ("sga_1", "sagas show sga_1")])
def test_who_waits_for_an_action_is_told_how(name: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`wait` waits for a server; an id is for another command, and that one is named."""
    assert run(["wait", name], NO_SERVICES) == ExitCode.USAGE
    assert f"switchgear {command} --wait 30" in capsys.readouterr().err


def no_tls(request: httpx2.Request) -> httpx2.Response:
    """Answer as one does who speaks no TLS."""
    raise httpx2.ConnectError("wrong version", request=request) from ssl.SSLError("wrong version number")


def test_two_advices_are_told_apart() -> None:
    """What stands behind an address is not read as a part of it."""
    with pytest.raises(CommandFailure) as caught:
        Remote([no_tls]).until_ready(1.0)
    assert "; else: Look at what `switchgear up` has printed" in caught.value.advice


def test_wait_of_no_time_asks_once() -> None:
    """`--for 0` is a question, not a wait."""
    remote = Remote([refused])
    with pytest.raises(CommandFailure):
        remote.until_ready(0.0)
    assert len(remote.asked_at) == 1


def test_restored_store_that_is_frozen_ends_the_wait_at_once() -> None:
    """Only a person can thaw it, so waiting does not help: the failure is its own code, with that code's advice."""
    frozen = {"ready": False, "parts": {"engine": "ok", "restore": "RESTORE_PENDING", "ledger": "ok"}}
    remote = Remote([refused, saying(503, frozen)])
    with pytest.raises(CommandFailure) as caught:
        remote.until_ready(30.0)
    facts = FACTS[Code.RESTORE_PENDING]
    assert (caught.value.problem["code"], caught.value.exit_code) == ("RESTORE_PENDING", facts.exit_code)
    assert (caught.value.advice, len(remote.asked_at)) == (facts.advice, 2)


def test_what_no_waiting_mends_is_said_at_once() -> None:
    """Somebody else's server is no server that will be ready soon."""
    remote = Remote([saying(404, {"title": "Not Found"})])
    with pytest.raises(CommandFailure) as caught:
        remote.until_ready(30.0)
    assert (caught.value.exit_code, len(remote.asked_at)) == (ExitCode.FAILED, 1)


@pytest.mark.parametrize(
    ("state", "final"),
    [("succeeded", True), ("in_doubt", False), ("needs_operator", False), ("pending_approval", False)],
)
def test_wait_for_an_action_ends_when_it_rests(state: str, *, final: bool) -> None:
    """What is final, in doubt or a person's to decide is shown at once; the mark of a repeat stays on it."""
    remote = Remote([saying(200, intent("dispatched")), saying(200, intent(state, final=final))])
    until = remote.clock.monotonic() + 60.0
    seen = until_settled(remote.session(), {**intent("ready"), "replayed": True}, until, clock=remote.clock)
    assert (seen["state"], seen["replayed"], len(remote.asked_at)) == (state, True, 2)


def test_wait_for_an_action_ends_with_its_time() -> None:
    """Law 1: when time is up, the action is shown as it stands. A server that does not wait is asked once a second."""
    remote = Remote([saying(200, intent("dispatched"))])
    begun = remote.clock.monotonic()
    seen = until_settled(remote.session(), intent("ready"), begun + 60.0, clock=remote.clock)
    assert (seen["state"], remote.asked_at[-1] - begun) == ("dispatched", 60.0)
    assert len(remote.asked_at) < 90


def test_the_server_waits_in_slices_that_no_proxy_cuts() -> None:
    """No connection is silent for long: a long wait is a row of short ones, and nobody pauses between them."""
    remote = Remote([])
    remote.script = [waiting(remote.clock, "dispatched")]
    begun = remote.clock.monotonic()
    seen = until_settled(remote.session(), intent("ready"), begun + 40.0, clock=remote.clock)
    assert (seen["state"], remote.clock.monotonic() - begun) == ("dispatched", 40.0)
    assert (remote.waits, [at - begun for at in remote.asked_at]) == ([15, 15, 10], [0.0, 15.0, 30.0])


def test_wait_of_part_of_a_second_is_kept() -> None:
    """The server waits whole seconds; what is left over is waited for here, and not a moment longer."""
    remote = Remote([])
    remote.script = [waiting(remote.clock, "dispatched")]
    begun = remote.clock.monotonic()
    until_settled(remote.session(), intent("ready"), begun + 2.5, clock=remote.clock)
    assert remote.waits[0] == 2
    assert set(remote.waits[1:]) == {0}
    assert remote.clock.monotonic() - begun == pytest.approx(2.5)


def test_no_time_to_wait_is_no_question() -> None:
    """Whoever has no time left gets what is known already."""
    remote = Remote([refused])
    assert until_settled(remote.session(), intent("ready"), 0.0, clock=VirtualClock(1.0))["state"] == "ready"
    assert remote.asked_at == []


def test_ctrl_c_while_the_server_waits_names_the_action() -> None:
    """Whoever interrupts a wait learns the id of what goes on, and how to look at it."""

    def interrupted(_request: httpx2.Request) -> httpx2.Response:
        raise KeyboardInterrupt

    remote = Remote([interrupted])
    with pytest.raises(CommandFailure, match="int_1 goes on; see: switchgear intents show int_1"):
        until_settled(remote.session(), intent("ready"), remote.clock.monotonic() + 60.0, clock=remote.clock)


def test_action_that_rests_is_not_asked_for_again() -> None:
    """There is nothing to wait for: no request is made."""
    remote = Remote([refused])
    begun = remote.clock.monotonic()
    assert until_settled(remote.session(), intent("failed", final=True), begun + 60.0, clock=remote.clock)["final"]
    assert remote.asked_at == []


def away(remote: Remote, seconds: float, before: Answer, after: Answer) -> None:
    """Have `remote` answer with `before` for a second, then be away for so many seconds, and answer with `after`."""
    begins = remote.clock.monotonic() + 1.0

    def answer(request: httpx2.Request) -> httpx2.Response:
        now = remote.clock.monotonic()
        if now < begins:
            return before(request)
        return refused(request) if now < begins + seconds else after(request)

    remote.script = [answer]


@pytest.mark.parametrize("proxied", [False, True])
def test_a_server_that_has_died_is_not_waited_for(*, proxied: bool) -> None:
    """Who has answered and is gone for longer than a restart takes has died: the wait ends long before its time."""
    remote = Remote([])
    away(remote, 1000.0, saying(503, NOT_READY), saying(200, READY))
    if proxied:
        remote.script = [saying(503, NOT_READY), saying(502, {})]
    begun = remote.clock.monotonic()
    with pytest.raises(CommandFailure, match="has answered, and is gone for 10 s: ") as caught:
        remote.until_ready(3600.0)
    assert (caught.value.exit_code, "start it again" in caught.value.advice) == (ExitCode.UNAVAILABLE, True)
    assert GONE_SECONDS <= remote.clock.monotonic() - begun < GONE_SECONDS + 4.0


def test_a_restart_is_waited_over() -> None:
    """A server that is back in time is the same to who waits, for it and for an action."""
    remote = Remote([])
    away(remote, GONE_SECONDS - 2.0, saying(503, NOT_READY), saying(200, READY))
    assert remote.until_ready(60.0) == READY
    away(remote, GONE_SECONDS - 2.0, saying(200, intent("dispatched")), saying(200, intent("succeeded", final=True)))
    until = remote.clock.monotonic() + 60.0
    assert until_settled(remote.session(), intent("ready"), until, clock=remote.clock)["final"]


def test_who_waits_for_an_action_is_told_that_its_server_has_died() -> None:
    """The wait ends with what became of the server; the action goes on with the next one, and how to see it is said."""
    remote = Remote([])
    away(remote, 1000.0, saying(200, intent("dispatched")), saying(200, READY))
    begun = remote.clock.monotonic()
    with pytest.raises(CommandFailure, match="is gone for 10 s: no server is running") as caught:
        until_settled(remote.session(), intent("ready"), begun + 3600.0, clock=remote.clock)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "int_1 goes on; see: switchgear intents show int_1" in caught.value.advice
    assert remote.clock.monotonic() - begun < GONE_SECONDS + 4.0


def test_law_1_a_server_that_is_away_does_not_lengthen_a_wait() -> None:
    """Law 1: when the time is up and nobody is there, that is said."""
    remote = Remote([refused])
    begun = remote.clock.monotonic()
    with pytest.raises(CommandFailure, match="no server is running"):
        until_settled(remote.session(), intent("ready"), begun + 3.0, clock=remote.clock)
    assert remote.clock.monotonic() - begun == 3.0


def test_what_is_refused_ends_the_wait_for_an_action_at_once() -> None:
    """A token that is no good any more does not become better by waiting."""
    remote = Remote([saying(401, {"code": "TENANT_UNAUTHENTICATED"})])
    with pytest.raises(CommandFailure):
        until_settled(remote.session(), intent("ready"), remote.clock.monotonic() + 60.0, clock=remote.clock)
    assert len(remote.asked_at) == 1
