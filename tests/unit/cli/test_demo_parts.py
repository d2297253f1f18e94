"""The parts of the demo that need no process: schedule, effect log, catalogue, story."""

from __future__ import annotations

import io
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from switchgear.core.codes import Code
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.demo.catalogue import Catalogue
from switchgear.surfaces.cli.demo.crm import Faults
from switchgear.surfaces.cli.demo.crm_records import Crm, Records, Refusal, Request
from switchgear.surfaces.cli.demo.effects import Effect, EffectLog, read_effects
from switchgear.surfaces.cli.demo.follower import Follower
from switchgear.surfaces.cli.demo.running import stopping_text
from switchgear.surfaces.cli.demo.schedule import PHASES, Schedule
from switchgear.surfaces.cli.demo.traffic import Answers, Tenant
from switchgear.surfaces.cli.demo.upstream import Upstream, UpstreamPlan
from switchgear.surfaces.cli.demo.view import STATES, Scene, frame, refusals
from tests.unit.cli.test_reference import NO_SERVICES


def test_phases_fill_the_whole_time() -> None:
    """The shares of the phases are the whole, so every moment of a demo has one phase."""
    assert sum(phase.share for phase in PHASES) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("elapsed", "name"), [(-1.0, "calm"), (0.0, "calm"), (19.9, "slow"), (73.0, "dead"), (1e9, "well")]
)
def test_schedule_scales_with_the_length(elapsed: float, name: str) -> None:
    """A phase is a share of the whole; before the start is the first, after the end the last."""
    assert Schedule(100.0).phase_at(elapsed).name == name


def test_log_survives_and_cuts_a_torn_line(tmp_path: Path) -> None:
    """What was answered stays; a line that a kill tore was never answered and does not count."""
    path = tmp_path / "log"
    log = EffectLog(path)
    log.append(Effect(1.0, "order", "k", {"id": "order-1"}))
    log.close()
    with path.open("a") as torn:
        torn.write('{"at": 2.0, "oper')
    assert [effect.key for effect in read_effects(path)] == ["k"]
    EffectLog(path).close()
    assert path.read_text().endswith("}\n")


def order(key: str, amount: object = 5) -> Request:
    """Return a request for an order."""
    return Request("POST", ("orders",), key, {"contact_id": "1", "amount": amount})


def test_keyed_operation_is_honest_across_a_restart(tmp_path: Path) -> None:
    """The same key gets the same stored answer and one effect, also from a new process."""
    path = tmp_path / "log"
    first = Crm(Records(path)).operation(order("k"))()
    second = Crm(Records(path)).operation(order("k"))()
    assert first == second
    assert len(list(read_effects(path))) == 1


def test_other_operations_log_every_effect(tmp_path: Path) -> None:
    """A double of a write that is not keyed must be seen, so it is applied and logged like any other."""
    path = tmp_path / "log"
    crm = Crm(Records(path))
    for _ in range(2):
        crm.operation(Request("POST", ("emails",), "k", {"to": "a@example.com"}))()
    assert [effect.key for effect in read_effects(path)] == ["k", "k"]


def test_note_can_be_looked_up_by_its_reference(tmp_path: Path) -> None:
    """A reconcilable write can be looked up: absent before, present after, also from a new process."""
    path = tmp_path / "log"
    look = Request("GET", ("notes", "r-1"), "", {})
    with pytest.raises(Refusal):
        Crm(Records(path)).operation(look)()
    note = Request("POST", ("contacts", "1", "notes"), "k", {"reference": "r-1"})
    Crm(Records(path)).operation(note)()
    assert Crm(Records(path)).operation(look)()["reference"] == "r-1"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (order("k", 1_001), HTTPStatus.UNPROCESSABLE_ENTITY),
        (order("k", "many"), HTTPStatus.UNPROCESSABLE_ENTITY),
        (order(""), HTTPStatus.BAD_REQUEST),
        (Request("POST", ("emails",), "k", {}), HTTPStatus.BAD_REQUEST),
        (Request("DELETE", ("orders",), "k", {}), HTTPStatus.NOT_FOUND),
        (Request("POST", ("nothing",), "k", {}), HTTPStatus.NOT_FOUND),
    ],
)
def test_definite_refusal_changes_nothing(tmp_path: Path, request_: Request, status: HTTPStatus) -> None:
    """What the upstream refuses leaves no effect."""
    path = tmp_path / "log"
    with pytest.raises(Refusal) as caught:
        Crm(Records(path)).operation(request_)()
    assert caught.value.status == status
    assert list(read_effects(path)) == []


def test_limited_phase_refuses_with_retry_after() -> None:
    """Above its rate the upstream answers 429 and says when to come back."""
    faults = Faults(Schedule(1e9), _start_of("rate limiting", 1e9), random.Random(1))
    faults.before()
    with pytest.raises(Refusal) as caught:
        faults.before()
    assert (caught.value.status, caught.value.retry_after) == (HTTPStatus.TOO_MANY_REQUESTS, 1)


def test_catalogue_sends_every_kind_and_keys_are_fresh() -> None:
    """Every tool, every refusal and concurrent copies occur; no new action reuses a key."""
    book = Catalogue("acme", random.Random(5))
    wishes = [book.draw() for _ in range(1_000)]
    assert {wish.tool for wish in wishes} >= {"crm.get_contact", "crm.create_order", "crm.send_email"}
    refusals = {Code.NOT_FOUND, Code.INVALID_ARGUMENT, Code.TENANT_UNAUTHENTICATED, Code.PERMISSION_DENIED}
    assert {wish.expect for wish in wishes} >= refusals
    assert any(wish.copies > 1 for wish in wishes)
    keys = [wish.key for wish in wishes if wish.key is not None]
    assert len(keys) == len(set(keys))


def test_contradictions_are_made_of_accepted_orders_only() -> None:
    """A key that was never accepted is free, so using it with another payload is no conflict."""
    book = Catalogue("acme", random.Random(5))
    assert not any(book.draw().expect is Code.IDEMPOTENCY_CONFLICT for _ in range(300))
    order_ = next(wish for wish in iter(book.draw, None) if wish.tool == "crm.create_order" and not wish.expect)
    book.accepted(order_)
    conflict = next(wish for wish in iter(book.draw, None) if wish.expect is Code.IDEMPOTENCY_CONFLICT)
    assert (conflict.key, conflict.arguments != order_.arguments) == (order_.key, True)


def test_frame_fits_80_columns_and_does_not_move(tmp_path: Path) -> None:
    """The live view has the same columns from its first to its last picture, and clips nothing at 80 characters."""
    scene = scene_of(tmp_path)
    first = drawn(scene)
    scene.follower.story.tell("acme", entry("intent.accepted", tool="crm.create_order", effect="keyed"))
    scene.follower.story.tell("acme", entry("intent.dispatched"))
    scene.follower.story.tell("acme", entry("intent.retry_scheduled", code="DEPENDENCY_FAILED"))
    second = drawn(scene)
    line = next(text for text in second if "retry_scheduled" in text)
    assert "00:00:01  acme    retry_scheduled " in line
    assert "crm.create_order DEPENDENCY_FAILED" in line
    heading = next(text for text in first if "succeeded" in text)
    assert heading in second
    assert heading.split()[1:-1] == ["tenant", *STATES]
    assert max(map(len, second)) == 80
    assert "…" not in "".join(second)


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (80, "refused: A_CODE 9  B_CODE 8  C_CODE 7  and 2 more"),
        (45, "refused: A_CODE 9  B_CODE 8  and 3 more"),
        (20, "refused: 29"),
    ],
)
def test_footer_names_the_most_frequent_refusals(width: int, text: str) -> None:
    """The footer names at most three codes, only whole ones, and how many more there were."""
    assert refusals(Counter(A_CODE=9, B_CODE=8, C_CODE=7, D_CODE=3, E_CODE=2), width) == text
    assert refusals(Counter(), width) == "refused: nothing"


def test_first_interrupt_is_answered() -> None:
    """Who presses Ctrl-C reads what is waited for, how long at most, and how to skip it."""
    text = "stopping: letting 12 queued actions end (at most 20 s); Ctrl-C again to skip"
    assert stopping_text(12) == text


def test_run_stopped_before_anything_was_sent_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty run is not kept; one with effects is."""

    def interrupted(coroutine: Coroutine[object, object, object]) -> None:
        coroutine.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", interrupted)
    for name, log in (("empty", ""), ("used", "{}\n")):
        folder = tmp_path / name
        monkeypatch.setattr(Path, "mkdir", making(log))
        assert run(["demo", "--folder", str(folder)], NO_SERVICES) == 130
        assert folder.exists() is bool(log)


def making(log: str) -> Callable[..., None]:
    """Return what makes a folder with an effect log of that text."""

    def make(folder: Path, **_: object) -> None:
        os.mkdir(folder)  # noqa: PTH102 - stands in for that method
        (folder / "crm-effects.jsonl").write_text(log)

    return make


def scene_of(folder: Path) -> Scene:
    """Return a scene in which nothing has happened yet."""
    plan = UpstreamPlan(port=1, log=folder / "log", output=folder / "out", schedule=Schedule(10.0), seed=1)
    tenants = [Tenant("acme", "", 1.0), Tenant("globex", "", 1.0)]
    return Scene(10.0, [tenant.name for tenant in tenants], Upstream(plan), Follower(tenants, None), Answers())  # type: ignore[arg-type] # nothing is sent


def drawn(scene: Scene) -> list[str]:
    """Return a picture of the scene at 80 characters, by line."""
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    with console.capture() as captured:
        console.print(frame(scene, console.width))
    return captured.get().splitlines()


def entry(kind: str, **facts: str) -> dict[str, Any]:
    """Return an entry of the ledger, one second after the epoch."""
    return {"type": kind, "stream": "int_1", "at": 1.0, "facts": facts}


def _start_of(name: str, seconds: float) -> float:
    """Return a start, seconds since the epoch, that puts now into the middle of the named phase."""
    names = [phase.name for phase in PHASES]
    before = sum(phase.share for phase in PHASES[: names.index(name)])
    return time.time() - (before + PHASES[names.index(name)].share / 2) * seconds
