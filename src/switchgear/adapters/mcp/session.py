"""`GuardedSession`: the requests of an MCP client session, each one a guarded call with the seconds of its operation.

What a tool does decides whether a call may be repeated: what you say, else what the server says in the tool's
annotations, else nothing. Annotations are hints: a server that you do not trust does not decide that.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from switchgear.adapters.gate import FAILED, UNSAID, Gate, Row, bounded, missing
from switchgear.adapters.mcp.outcomes import row_of
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError, RetryExhausted
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.core.outcome import Verdict
from switchgear.guard.guard import Guard
from switchgear.policies.checks import require_count

try:
    import mcp_types as types
    from mcp.client.session import ClientSession
except ModuleNotFoundError as error:
    raise missing(error, (error.name or "").partition(".")[0], "mcp") from error

R = TypeVar("R")
_OPERATION = "mcp.request"
Classifier = Callable[[str, types.CallToolResult], Verdict]
"""A function of a tool's name and its result that says what the result tells about the server."""


class ToolFailed(Exception):
    """A result that the classifier called no success. Name it in ``Retry(on=ToolFailed)`` to have failures repeated."""

    def __init__(self, tool: str, result: types.CallToolResult, verdict: Verdict) -> None:
        """Keep the result, which the caller gets when no attempt is left."""
        super().__init__(f"tool {tool} answered with a {verdict.name.lower()}")
        self.tool = tool
        self.result = result
        self.verdict = verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How to guard one session.

    effects            what tools do, by name; the last word over annotations.
    trust_annotations  whether ``readOnlyHint`` and ``idempotentHint`` of the server allow a repeat; default True.
    classify           what a result says about the server; default: any result is a success, ``isError`` or not.
    tools_max          tools whose annotations are remembered at most, at least 1; default 10,000. Others are not
                       repeated.
    operations         the table of operations; ``mcp.request`` is used.

    Raises `OptionError` for options that cannot work.
    """

    effects: Mapping[str, Effect | str] | None = None
    trust_annotations: bool = True
    classify: Classifier | None = None
    tools_max: int = 10_000
    operations: Mapping[str, Operation] | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("GuardedSession(tools_max)", self.tools_max, example=10_000)
        if self.classify is not None and not _is_plain(self.classify):
            raise OptionError(
                f"GuardedSession(classify) takes a plain function of a tool's name and a result, not {self.classify!r}"
            )
        if self.operations is not None and _OPERATION not in self.operations:
            raise OptionError(
                f'GuardedSession(operations) has no "{_OPERATION}"; '
                f'write for example operations_with({{"{_OPERATION}": 30.0}})'
            )
        for tool, effect in (self.effects or {}).items():
            if effect not in tuple(Effect):  # what cannot be hashed can be compared
                words = ", ".join(f'"{known}"' for known in Effect)
                raise OptionError(f"GuardedSession(effects): tool {tool!r} has one of {words}, not {effect!r}")


def _is_plain(function: object) -> bool:
    return callable(function) and not inspect.iscoroutinefunction(function)


def _row_of(error: Exception) -> Row:
    if isinstance(error, ToolFailed):
        return UNSAID if error.verdict is Verdict.IGNORED else FAILED
    return row_of(error)


def _verdict(classify: Classifier, tool: str, result: types.CallToolResult) -> Verdict:
    """Return what the user's function says. Raises `OptionError` when it fails: that is no fault of the server."""
    try:
        verdict: object = classify(tool, result)
    except Exception as error:  # a function of the user's may raise anything
        raise OptionError(f"GuardedSession(classify) failed for tool {tool}: {error!r}") from error
    if not isinstance(verdict, Verdict):
        raise OptionError(f"GuardedSession(classify) has to return a Verdict, not {verdict!r}; write Verdict.SUCCESS")
    return verdict


class GuardedSession:
    """The requests of `session` under `guard`.

    session  a `ClientSession` that is open and initialised; it stays yours to open and close. What is not here, such
             as notifications, is `session` itself.
    options  those of `SessionOptions`.

    Every method raises `DeadlineExceeded` with `TIMEOUT_MCP_REQUEST` (the server may go on working on it), the
    client's own ``MCPError``, and the refusals of the guard.
    """

    def __init__(
        self,
        session: ClientSession,
        guard: Guard,
        *,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,  # those of SessionOptions, which checks them
    ) -> None:
        """Send nothing yet."""
        self.session = session
        self._options = SessionOptions(**options)
        self._operation = (self._options.operations or OPERATIONS)[_OPERATION]
        self._gate = Gate(guard, _row_of)
        self._clock = clock
        self._dependency = guard.name
        self._annotated: dict[str, Effect] = {}

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        **options: Any,  # those of the session's own method
    ) -> Any:
        """Call a tool. It is repeated only when `effect_of` it allows that."""
        try:
            return await self._gate.call_async(
                self._call_tool, name, arguments, options, effect=self.effect_of(name), operation=name
            )
        except ToolFailed as failed:
            return failed.result
        except RetryExhausted as exhausted:
            if isinstance(exhausted.__cause__, ToolFailed):
                return exhausted.__cause__.result
            raise

    async def list_tools(self, *, params: types.PaginatedRequestParams | None = None) -> types.ListToolsResult:
        """List tools, and remember what their annotations say."""
        listed: types.ListToolsResult = await self._read("tools/list", lambda: self.session.list_tools(params=params))
        for tool in listed.tools:
            self._remember(tool)
        return listed

    async def list_resources(self, *, params: types.PaginatedRequestParams | None = None) -> types.ListResourcesResult:
        """List resources."""
        return await self._read("resources/list", lambda: self.session.list_resources(params=params))

    async def list_resource_templates(
        self, *, params: types.PaginatedRequestParams | None = None
    ) -> types.ListResourceTemplatesResult:
        """List templates of resources."""
        return await self._read("resources/templates/list", lambda: self.session.list_resource_templates(params=params))

    async def read_resource(self, uri: str) -> types.ReadResourceResult:
        """Read a resource."""
        return await self._read("resources/read", lambda: self.session.read_resource(uri))

    async def list_prompts(self, *, params: types.PaginatedRequestParams | None = None) -> types.ListPromptsResult:
        """List prompts."""
        return await self._read("prompts/list", lambda: self.session.list_prompts(params=params))

    async def get_prompt(self, name: str, arguments: dict[str, str] | None = None) -> types.GetPromptResult:
        """Return a prompt."""
        return await self._read("prompts/get", lambda: self.session.get_prompt(name, arguments))

    async def complete(
        self,
        ref: types.ResourceTemplateReference | types.PromptReference,
        argument: dict[str, str],
        context_arguments: dict[str, str] | None = None,
    ) -> types.CompleteResult:
        """Return completions of an argument."""
        return await self._read("completion/complete", lambda: self.session.complete(ref, argument, context_arguments))

    async def send_ping(self) -> types.EmptyResult:
        """Ask whether the server is there."""
        return await self._read("ping", self.session.send_ping)

    def effect_of(self, tool: str) -> Effect:
        """Return what is known about calling `tool` twice: what you said, else its annotations, else nothing."""
        said = (self._options.effects or {}).get(tool)
        return self._annotated.get(tool, Effect.OPAQUE) if said is None else Effect(said)

    async def _call_tool(self, name: str, arguments: dict[str, Any] | None, options: dict[str, Any]) -> object:
        result = await self._bounded(lambda: self.session.call_tool(name, arguments, **options))
        classify = self._options.classify
        if classify is None or not isinstance(result, types.CallToolResult):
            return result
        verdict = _verdict(classify, name, result)
        if verdict is not Verdict.SUCCESS:
            raise ToolFailed(name, result, verdict)
        return result

    async def _read(self, method: str, work: Callable[[], Awaitable[R]]) -> R:
        result: R = await self._gate.call_async(self._bounded, work, effect=Effect.READ_ONLY, operation=method)
        return result

    async def _bounded(self, work: Callable[[], Awaitable[R]]) -> R:
        return await bounded(self._operation, work(), clock=self._clock, dependency=self._dependency)

    def _remember(self, tool: types.Tool) -> None:
        hints = tool.annotations
        self._annotated.pop(tool.name, None)
        if hints is None or not self._options.trust_annotations or len(self._annotated) >= self._options.tools_max:
            return
        if hints.read_only_hint:
            self._annotated[tool.name] = Effect.READ_ONLY
        elif hints.idempotent_hint:
            self._annotated[tool.name] = Effect.NATURAL
