"""The MCP adapter against a real server over stdio, and against a scripted one over streams in memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import mcp_types as types
import pytest
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from switchgear.adapters.mcp import GuardedSession, ToolFailed
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, RetryExhausted
from switchgear.core.operations import operations_with
from switchgear.core.outcome import Verdict
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry

pytestmark = pytest.mark.integration

SERVER = Path(__file__).with_name("tool_server.py")


def a_guard() -> Guard:
    """Return a guard that would repeat whatever it may, without waiting."""
    return Guard(
        "tools",
        retry=Retry(attempts=3, on=(MCPError, ToolFailed), base=0.0),
        breaker=Breaker(failures=20),
        clock=VirtualClock(),
    )


@asynccontextmanager
async def stdio_session(log: Path) -> AsyncIterator[ClientSession]:
    """Start the server as a process of its own, and open a session."""
    parameters = StdioServerParameters(command=sys.executable, args=[str(SERVER), str(log)])
    with log.with_suffix(".err").open("w", encoding="utf-8") as errors:
        async with stdio_client(parameters, errors) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            yield session


@asynccontextmanager
async def scripted_session(answers: dict[str, int]) -> AsyncIterator[tuple[ClientSession, list[str]]]:
    """Open a session to a server that answers each method with a code; 0 is an empty result, 1 is silence."""
    seen: list[str] = []
    async with create_client_server_memory_streams() as (client, server):

        async def serve() -> None:
            async for received in server[0]:
                assert isinstance(received, SessionMessage)
                request = received.message
                if not isinstance(request, types.JSONRPCRequest):
                    seen.append(getattr(request, "method", ""))
                    continue
                seen.append(request.method)
                code = answers.get(request.method, 0)
                if code != 1:
                    await server[1].send(SessionMessage(_answer(request, code)))

        serving = asyncio.ensure_future(serve())
        try:
            async with ClientSession(*client) as session:
                yield session, seen
        finally:
            serving.cancel()


def _answer(request: types.JSONRPCRequest, code: int) -> types.JSONRPCResponse | types.JSONRPCError:
    if code == 0:
        return types.JSONRPCResponse(jsonrpc="2.0", id=request.id, result={})
    return types.JSONRPCError(jsonrpc="2.0", id=request.id, error=types.ErrorData(code=code, message="no"))


def failing_results(_: str, result: types.CallToolResult) -> Verdict:
    """Call every result that is an error a failure."""
    return Verdict.FAILURE if result.is_error else Verdict.SUCCESS


async def test_every_request_of_a_session_works(tmp_path: Path) -> None:
    """The guard changes no answer."""
    guard = a_guard()
    async with stdio_session(tmp_path / "log") as session:
        tools = GuardedSession(session, guard)
        assert {tool.name for tool in (await tools.list_tools()).tools} == {"look", "change", "hang", "die"}
        result = await tools.call_tool("look", {"times": 0})
        assert (result.is_error, result.content[0].text) == (False, "seen")
        read = await tools.read_resource("note://today")
        assert "sunny" in str(read.contents[0])
        assert "Hello you" in str((await tools.get_prompt("greet", {"name": "you"})).messages[0])
        assert len((await tools.list_resources()).resources) == 1
        assert len((await tools.list_prompts()).prompts) == 1
        assert (await tools.list_resource_templates()).resource_templates == []
        await tools.send_ping()
    assert guard.statistics().successes == 8


async def test_a_result_that_is_an_error_is_a_success_unless_a_classifier_says_otherwise(tmp_path: Path) -> None:
    """Without a classifier it is the server's answer; with one, reads are repeated and the plain result comes back."""
    log = tmp_path / "log"
    async with stdio_session(log) as session:
        guard = a_guard()
        result = await GuardedSession(session, guard).call_tool("change", {"times": 9})
        assert result.is_error
        assert (guard.statistics().successes, guard.statistics().failures) == (1, 0)

        guard = a_guard()
        tools = GuardedSession(session, guard, classify=failing_results)
        await tools.list_tools()
        assert (await tools.call_tool("change", {"times": 9})).is_error
        assert (await tools.call_tool("look", {"times": 2})).content[0].text == "seen"
        assert (await tools.call_tool("look", {"times": 9})).is_error
        assert guard.statistics().failures == 1 + 2 + 3
    assert log.read_text(encoding="utf-8").split() == ["change"] * 2 + ["look"] * 6


async def test_a_classifier_may_say_that_a_result_says_nothing(tmp_path: Path) -> None:
    """Neither success nor failure, and no repeat."""
    guard = a_guard()
    async with stdio_session(tmp_path / "log") as session:
        tools = GuardedSession(session, guard, classify=lambda _, __: Verdict.IGNORED, effects={"look": "read_only"})
        assert not (await tools.call_tool("look", {"times": 0})).is_error
    assert (guard.statistics().ignored, guard.statistics().successes) == (1, 0)


async def test_a_tool_that_hangs_ends_in_time_and_the_session_goes_on(tmp_path: Path) -> None:
    """The call has its code, something left, and the next request has its own answer."""
    guard = Guard("tools", breaker=Breaker(failures=5))
    async with stdio_session(tmp_path / "log") as session:
        tools = GuardedSession(session, guard, operations=operations_with({"mcp.request": 0.5}))
        with pytest.raises(DeadlineExceeded) as caught:
            await tools.call_tool("hang")
        assert (caught.value.code, caught.value.sent) == (Code.TIMEOUT_MCP_REQUEST, True)
        assert (await tools.call_tool("look", {"times": 0})).content[0].text == "seen"
    assert (guard.statistics().failures, guard.statistics().successes) == (1, 1)


async def test_a_server_that_dies_in_a_call_is_a_failure_and_not_called_again(tmp_path: Path) -> None:
    """It may have happened. Afterwards the connection is closed, and the breaker opens."""
    log = tmp_path / "log"
    guard = Guard(
        "tools",
        retry=Retry(attempts=3, on=MCPError, base=0.0),
        breaker=Breaker(failures=3),
        clock=VirtualClock(),
    )
    async with stdio_session(log) as session:
        tools = GuardedSession(session, guard)
        with pytest.raises(MCPError) as caught:
            await tools.call_tool("die")
        assert caught.value.code == types.CONNECTION_CLOSED
        assert guard.statistics().failures == 1
        with pytest.raises((MCPError, RetryExhausted)):
            await tools.send_ping()
        with pytest.raises(CircuitOpen):
            await tools.call_tool("change", {"times": 0})
    assert log.read_text(encoding="utf-8").split() == ["die"]


@pytest.mark.parametrize(
    ("code", "counts"),
    [
        (types.PARSE_ERROR, (1, 0)),
        (types.INVALID_REQUEST, (1, 0)),
        (types.METHOD_NOT_FOUND, (1, 0)),
        (types.INVALID_PARAMS, (1, 0)),
        (types.URL_ELICITATION_REQUIRED, (1, 0)),
        (1234, (1, 0)),
        (types.INTERNAL_ERROR, (0, 3)),
        (-32050, (0, 3)),
    ],
)
async def test_codes_on_the_wire_are_what_the_guard_learns(code: int, counts: tuple[int, int]) -> None:
    """A complaint is not repeated; a failure of a read is."""
    guard = a_guard()
    async with scripted_session({"resources/list": code}) as (session, seen):
        with pytest.raises((MCPError, RetryExhausted)):
            await GuardedSession(session, guard).list_resources()
    assert (guard.statistics().successes, guard.statistics().failures) == counts
    assert seen.count("resources/list") == sum(counts)


async def test_a_tool_that_nothing_is_known_of_is_called_once() -> None:
    """Whatever the retry would like."""
    async with scripted_session({"tools/call": types.INTERNAL_ERROR}) as (session, seen):
        tools = GuardedSession(session, a_guard())
        with pytest.raises(MCPError):
            await tools.call_tool("pay", {"amount": 1})
        assert seen.count("tools/call") == 1
        tools = GuardedSession(session, a_guard(), effects={"pay": "keyed"})
        with pytest.raises(RetryExhausted):
            await tools.call_tool("pay", {"amount": 1, "key": "order-17"})
        assert seen.count("tools/call") == 1 + 3


async def test_a_silent_server_is_told_that_nobody_waits_any_more() -> None:
    """The bound cancels the request, and the client sends the cancellation; time stands still in this test."""
    clock = VirtualClock()
    guard = Guard("tools", breaker=Breaker(failures=5), clock=clock)
    async with scripted_session({"prompts/list": 1}) as (session, seen):
        asking = asyncio.ensure_future(GuardedSession(session, guard, clock=clock).list_prompts())
        await clock.elapse(29.0)
        assert not asking.done()
        await clock.elapse(2.0, turns=50)
        with pytest.raises(DeadlineExceeded):
            await asking
        while len(seen) < 2:  # noqa: ASYNC110 - the script is a list, not an event
            await asyncio.sleep(0.01)
    assert seen == ["prompts/list", "notifications/cancelled"]
    assert guard.statistics().failures == 1


async def test_the_callers_cancellation_says_nothing() -> None:
    """A caller who gives up does not blame the server."""
    guard = a_guard()
    async with scripted_session({"prompts/list": 1}) as (session, seen):
        asking = asyncio.ensure_future(GuardedSession(session, guard).list_prompts())
        while not seen:  # noqa: ASYNC110 - the script is a list, not an event
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert (guard.statistics().failures, guard.statistics().in_flight) == (0, 0)
