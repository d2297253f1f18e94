"""The MCP adapter without a process: the table of codes, and what decides whether a tool may be called twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import anyio
import mcp_types as types
import pytest
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError

from switchgear.adapters.gate import FAILED, UNREACHED, WORKS, Row
from switchgear.adapters.mcp import CODES, OUTCOMES, GuardedSession
from switchgear.adapters.mcp.outcomes import row_of
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.core.outcome import Verdict
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry

ROWS: list[tuple[int, Row]] = [
    (types.PARSE_ERROR, WORKS),
    (types.INVALID_REQUEST, WORKS),
    (types.METHOD_NOT_FOUND, WORKS),
    (types.INVALID_PARAMS, WORKS),
    (types.INTERNAL_ERROR, FAILED),
    (types.CONNECTION_CLOSED, FAILED),
    (types.REQUEST_TIMEOUT, FAILED),
    (types.HEADER_MISMATCH, WORKS),
    (types.MISSING_REQUIRED_CLIENT_CAPABILITY, WORKS),
    (types.UNSUPPORTED_PROTOCOL_VERSION, WORKS),
    (types.URL_ELICITATION_REQUIRED, WORKS),
]


@pytest.mark.parametrize(("code", "row"), [*ROWS, (-32099, FAILED), (-32010, FAILED), (7, WORKS), (-31999, WORKS)])
def test_each_code_has_its_row(code: int, row: Row) -> None:
    """A complaint about the request is an answer; a server that cannot do its job is a failure."""
    assert row_of(MCPError(code, "no")) == row


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (anyio.ClosedResourceError(), UNREACHED),
        (anyio.BrokenResourceError(), FAILED),
        (anyio.EndOfStream(), FAILED),
        (RuntimeError("a result that breaks its own schema"), FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_of_the_transport_has_its_row(error: Exception, row: Row) -> None:
    """A closed transport takes nothing; one that breaks may have."""
    assert row_of(error) == row


def test_every_row_of_the_tables_is_tested() -> None:
    """A row without an example is a guess."""
    assert set(CODES) == {code for code, _ in ROWS}
    assert len(OUTCOMES) == 3


Options: TypeAlias = Any
"""Options of the session, each of a type of its own."""


class Listing:
    """Stands for a session whose server lists `tools`."""

    def __init__(self, tools: Mapping[str, types.ToolAnnotations | None]) -> None:
        self.tools = tools

    async def list_tools(self, *, params: object) -> types.ListToolsResult:
        """Return the tools."""
        tools = [types.Tool(name=name, input_schema={}, annotations=hints) for name, hints in self.tools.items()]
        return types.ListToolsResult(tools=tools)


TOOLS = {
    "read": types.ToolAnnotations(read_only_hint=True),
    "set": types.ToolAnnotations(idempotent_hint=True),
    "add": types.ToolAnnotations(read_only_hint=False, destructive_hint=False),
    "bare": None,
}


async def effects(**options: Options) -> dict[str, Effect]:
    """Return what a session thinks of each tool, after listing them."""
    session = GuardedSession(cast("ClientSession", Listing(TOOLS)), Guard("tools"), **options)
    await session.list_tools()
    return {name: session.effect_of(name) for name in [*TOOLS, "unlisted"]}


async def test_annotations_decide_and_silence_means_once() -> None:
    """Read-only and idempotent tools may be called twice; nothing said means that nobody knows."""
    assert await effects() == {
        "read": Effect.READ_ONLY,
        "set": Effect.NATURAL,
        "add": Effect.OPAQUE,
        "bare": Effect.OPAQUE,
        "unlisted": Effect.OPAQUE,
    }


async def test_what_you_say_beats_annotations() -> None:
    """A server that is not trusted decides nothing; a tool that you know is what you say."""
    untrusted = await effects(trust_annotations=False)
    assert set(untrusted.values()) == {Effect.OPAQUE}
    said = await effects(effects={"read": "opaque", "unlisted": Effect.KEYED})
    assert (said["read"], said["set"], said["unlisted"]) == (Effect.OPAQUE, Effect.NATURAL, Effect.KEYED)


async def test_a_hint_that_is_taken_back_is_forgotten_and_memory_is_bounded() -> None:
    """The latest list rules; a server with endless tools fills nothing."""
    listing = Listing(TOOLS)
    session = GuardedSession(cast("ClientSession", listing), Guard("tools"), tools_max=1)
    await session.list_tools()
    assert (session.effect_of("read"), session.effect_of("set")) == (Effect.READ_ONLY, Effect.OPAQUE)
    listing.tools = {"read": None}
    await session.list_tools()
    assert session.effect_of("read") is Effect.OPAQUE


def test_an_effect_that_is_none_is_refused() -> None:
    """A typing mistake must not forbid or allow a repeat."""
    with pytest.raises(OptionError, match="tool 'read' has one of"):
        GuardedSession(cast("ClientSession", Listing({})), Guard("tools"), effects={"read": "readonly"})


class Answering:
    """Stands for a session whose server answers every call."""

    async def call_tool(self, _name: str, _arguments: object) -> types.CallToolResult:
        """Return an empty result."""
        return types.CallToolResult(content=[])


def _raises(_tool: str, _result: object) -> Verdict:
    raise KeyError("status")


@pytest.mark.parametrize(
    ("classify", "words"), [(_raises, "failed for tool read: KeyError"), (lambda *_: None, "has to return a Verdict")]
)
async def test_a_classifier_that_fails_is_no_failure_of_the_server(classify: Options, words: str) -> None:
    """The server answered: its breaker stays closed, nothing is repeated, and the mistake is named."""
    guard = Guard("tools", breaker=Breaker(failures=1), retry=Retry(attempts=3, on=Exception, base=0.0))
    session = GuardedSession(
        cast("ClientSession", Answering()), guard, classify=classify, effects={"read": "read_only"}
    )
    with pytest.raises(OptionError, match=words):
        await session.call_tool("read")
    assert (guard.state, guard.statistics().successes, guard.statistics().retries) == ("closed", 1, 0)


async def _later(_tool: str, _result: object) -> Verdict:
    return Verdict.SUCCESS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classify": "strict"}, "plain function"),
        ({"classify": _later}, "plain function"),
        ({"operations": {}}, "operations_with"),
        ({"effects": {"read": ["read_only"]}}, "has one of"),
        ({"tools_max": 0}, "tools_max"),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: Options, words: str) -> None:
    """Not when the first tool is called."""
    with pytest.raises(OptionError, match=words):
        GuardedSession(cast("ClientSession", Answering()), Guard("tools"), **options)


def test_without_the_client_the_import_says_what_to_install() -> None:
    """A clear error with the pip command."""
    program = "import sys; sys.modules['mcp'] = None\nimport switchgear.adapters.mcp"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert 'pip install "switchgear[mcp]"' in finished.stderr
