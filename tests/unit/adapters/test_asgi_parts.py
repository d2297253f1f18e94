"""The parts of the middleware as tables: header fields of limits, problem documents, the interruption of a task."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from switchgear.adapters.asgi.checks import require_documentation
from switchgear.adapters.asgi.exchange import Interruption
from switchgear.adapters.asgi.headers import limit_fields, retry_after_fields, values_of
from switchgear.adapters.asgi.problems import problem_answer, problem_document
from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    Denied,
    OptionError,
    RateLimited,
    Rejected,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)
from switchgear.policies.levels import LEVELS, Standing
from switchgear.policies.rate_limit import RateLimit
from switchgear.runbooks import address_of
from switchgear.surfaces.rest.problems import problem_document as of_the_server
from tests.turns import turns


@pytest.mark.parametrize(
    ("limit", "policy"),
    [
        (RateLimit(10), "q=10;w=1"),
        (RateLimit(10, per=60.0), "q=10;w=60"),
        (RateLimit(10, burst=20), "q=20;w=2"),
        (RateLimit(100, burst=1), "q=100;w=1"),
        (RateLimit(0.5), "q=1;w=2"),
        (RateLimit(3, per=2.0, burst=7), "q=7;w=5"),
        (RateLimit(1e20), "q=999999999999999;w=1"),
    ],
)
def test_quota_and_window_never_promise_more_than_the_limit(limit: RateLimit, policy: str) -> None:
    """Both are whole, the window at least a second, and the rate they tell is not above the real one."""
    fields = dict(limit_fields([Standing("tenant", limit, limit.bucket, 0.0)], LEVELS))
    assert fields[b"ratelimit-policy"].decode() == f'"tenant";{policy}'
    quota, window = (int(part.partition("=")[2]) for part in policy.split(";"))
    assert quota / window <= limit.per_second * (1 + 1e-9)


@pytest.mark.parametrize(
    ("remaining", "reset", "retry_after", "state"),
    [
        (10.0, 0.0, None, "r=10"),
        (2.9, 0.05, None, "r=2;t=1"),
        (0.0, 7.2, 7.2, "r=0;t=8"),
        (4.0, 30.0, 2.0, "r=4"),
    ],
)
def test_what_remains_is_rounded_to_the_safe_side(
    remaining: float, reset: float, retry_after: float | None, state: str
) -> None:
    """Units are rounded down and seconds up, and no moment is later than `Retry-After`."""
    standing = Standing("tool", RateLimit(10), remaining, reset)
    fields = dict(limit_fields([standing], LEVELS, retry_after))
    assert fields[b"ratelimit"].decode() == f'"tool";{state}'


def test_levels_that_are_not_shown_send_nothing() -> None:
    """Without a level to tell there is no field at all."""
    assert limit_fields([Standing("global", RateLimit(10), 5.0, 1.0)], {"tenant"}) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, None), (math.inf, None), (0.0, b"0"), (0.01, b"1"), (2.0, b"2"), (-1.0, b"0")]
)
def test_retry_after_is_whole_seconds_rounded_up(seconds: float | None, text: bytes | None) -> None:
    """RFC 9110 §10.2.3: coming back as told is never too soon."""
    assert dict(retry_after_fields(seconds)).get(b"retry-after") == text


def test_header_names_have_no_case() -> None:
    """A field is found however its name is written."""
    assert values_of([(b"X-Time", b" 2 "), (b"x-time", b"3"), (b"other", b"4")], "x-TIME") == ["2", "3"]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_makes_a_problem_document(code: Code) -> None:
    """Status, title and advice come from the code table, and the document has every fact that the error has."""
    error = Rejected(code=code, policy="p", dependency="d", state="s", retry_after=1.5)
    document = json.loads(json.dumps(problem_document(error)))
    assert (document["status"], document["title"], document["code"]) == (
        FACTS[code].http_status,
        FACTS[code].meaning,
        str(code),
    )
    assert {name: document[name] for name in error.facts()} == error.facts()


@pytest.mark.parametrize("documentation", [None, "https://docs.example.com/switchgear/"])
@pytest.mark.parametrize("code", list(Code))
def test_the_type_of_a_problem_is_that_of_the_server(code: Code, documentation: str | None) -> None:
    """One rule for every surface: where pages are published the type leads to the runbook, else it names the code."""
    ours = problem_document(Rejected(code=code), documentation)["type"]
    assert ours == of_the_server(Rejected(code=code), "0" * 32, documentation)["type"]
    answered = json.loads(problem_answer(Rejected(code=code), "Bearer", documentation).body)["type"]
    assert answered == ours == address_of(code, documentation)


@pytest.mark.parametrize("wrong", ["docs.example.com", "https://", "https://docs.example.com/#here", 3])
def test_pages_are_published_at_an_address(wrong: object) -> None:
    """What leads nowhere is refused when it is set, not found by who reads a problem."""
    with pytest.raises(OptionError, match=r"documentation.* write for example 'https://docs"):
        require_documentation("SwitchgearMiddleware(documentation)", wrong)


def test_defects_keep_their_text_and_retries_their_history_to_themselves() -> None:
    """Files and remotes are named in the log only."""
    assert "/var" not in json.dumps(problem_document(StoreError("/var/lib/gear.db is gone")))
    assert "secret" not in json.dumps(problem_document(SwitchgearError("secret")))
    exhausted = problem_document(RetryExhausted(attempts=2, history=("secret",)))
    assert (exhausted["attempts"], "history" in exhausted) == (2, False)


def test_only_a_missing_tenant_is_challenged() -> None:
    """RFC 9110 §11.6.1: the field belongs to 401."""
    missing = problem_answer(Denied(code=Code.TENANT_UNAUTHENTICATED), "Bearer")
    assert (b"www-authenticate", b"Bearer") in missing.fields
    for other in (Denied(), RateLimited(retry_after=1.0)):
        assert b"www-authenticate" not in dict(problem_answer(other, "Bearer").fields)


async def test_an_interruption_swallows_its_own_cancellation_only() -> None:
    """Cut off by us the block ends quietly and the task lives; cut off twice by both sides it stays cancelled."""
    cuts: list[Interruption] = []

    async def block() -> str:
        with Interruption() as interruption:
            cuts.append(interruption)
            await asyncio.Event().wait()
        return f"{interruption.reason}, {asyncio.current_task().cancelling()}"  # type: ignore[union-attr] # in a task

    task = asyncio.ensure_future(block())
    await turns(2)
    cuts[0].cut("disconnect")
    cuts[0].cut("deadline")
    assert await task == "disconnect, 0"
    cuts[0].cut("deadline")
    both = asyncio.ensure_future(block())
    await turns(2)
    cuts[1].cut("deadline")
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
