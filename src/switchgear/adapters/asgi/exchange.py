"""One request: what was sent, what was read ahead while it waited, and who cut it off.

Nothing here decides whether a request is let in. An ASGI server does not cancel a request whose client has gone:
it says so to whoever receives. So while a request waits for its turn somebody has to listen, and what is heard
meanwhile is kept for the application.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from switchgear.adapters.asgi.problems import Problem
from switchgear.adapters.asgi.protocol import Fields, Message, Receive, Send

Reason = Literal["deadline", "disconnect"]

_AHEAD_BYTES_MAX = 65_536
_AHEAD_COUNT_MAX = 64


class Interruption:
    """A block in which the running task may be cancelled for a reason, and for that reason only.

    A cancellation of ours ends the block quietly and leaves `reason`. Any other passes through unchanged, also when
    both came at once, as `asyncio.timeout` does it.
    """

    __slots__ = ("_already", "_task", "reason")

    def __init__(self) -> None:
        """Cut nothing yet."""
        self.reason: Reason | None = None
        self._task: asyncio.Task[object] | None = None
        self._already = 0

    def __enter__(self) -> Self:
        """Begin the block in the running task."""
        self._task = asyncio.current_task()
        self._already = 0 if self._task is None else self._task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End the block; swallow a cancellation that was ours alone."""
        task, self._task = self._task, None
        if task is None or self.reason is None:
            return False
        return task.uncancel() <= self._already and isinstance(error, asyncio.CancelledError)

    def cut(self, reason: Reason) -> None:
        """Cancel the block. Outside of it, and after the first time, this does nothing."""
        if self._task is not None and self.reason is None:
            self.reason = reason
            self._task.cancel()


class Exchange:
    """The two channels of a request, as the application sees them.

    `status` is what was sent, None before that. `fields` gives header fields to add when the answer starts, for the
    seconds that it tells the caller to wait, and `on_start` is told of that moment.
    """

    __slots__ = ("_ahead", "_closed", "_receive", "_send", "_watcher", "fields", "on_start", "status")

    def __init__(self, receive: Receive, send: Send) -> None:
        """Wrap the server's channels."""
        self._receive = receive
        self._send = send
        self._ahead: deque[Message] = deque()
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False
        self.status: int | None = None
        self.fields: Callable[[float | None], Fields] | None = None
        self.on_start: Callable[[], object] | None = None

    @property
    def started(self) -> bool:
        """Whether an answer has begun, so that no other can be given."""
        return self.status is not None

    async def send(self, message: Message) -> None:
        """Pass on what the application sends; after an answer of ours, drop what a task left behind still sends."""
        if self._closed:
            return
        if message["type"] == "http.response.start":
            message = self._started(message)
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        """Send a whole answer of ours, the only one from now on."""
        start = {"type": "http.response.start", "status": problem.status, "headers": problem.fields}
        message = self._started(start, problem.retry_after)
        self._closed = True
        await self._send(message)
        await self._send({"type": "http.response.body", "body": problem.body})

    async def receive(self) -> Message:
        """Return the next message: one that was read ahead, or else the server's."""
        if not self._ahead and self._watcher is not None:
            watcher, self._watcher = self._watcher, None
            await watcher
        return self._ahead.popleft() if self._ahead else await self._receive()

    def listen(self, gone: Callable[[], object]) -> Callable[[], None]:
        """Listen from the next turn of the loop on, and call `gone` when the client goes. Return what ends that.

        Who does not have to wait ends it in time, and costs no task.
        """
        state = _Listening()
        handle = asyncio.get_running_loop().call_soon(self._start_watching, state, gone)

        def end() -> None:
            state.over = True
            handle.cancel()

        return end

    def close(self) -> None:
        """Stop listening for good, at the end of the request."""
        if self._watcher is not None:
            self._watcher.cancel()

    def _started(self, message: Message, retry_after: float | None = None) -> Message:
        """Note the status, and add the fields unless the application has its own."""
        self.status = message["status"]
        if self.on_start is not None:
            self.on_start()
        own: Fields = list(message.get("headers", ()))
        names = {name.lower() for name, _ in own}
        added = [] if self.fields is None else [field for field in self.fields(retry_after) if field[0] not in names]
        return {**message, "headers": own + added}

    def _start_watching(self, state: _Listening, gone: Callable[[], object]) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch(state, gone))

    async def _watch(self, state: _Listening, gone: Callable[[], object]) -> None:
        """Read ahead, within bounds, until the client goes or the waiting is over."""
        size = 0
        while not state.over and size < _AHEAD_BYTES_MAX and len(self._ahead) < _AHEAD_COUNT_MAX:
            message = await self._receive()
            self._ahead.append(message)
            size += len(message.get("body", b""))
            if message["type"] == "http.disconnect":
                if not state.over:
                    gone()
                return


class _Listening:
    """Whether the listener may stop: set by who waited, read by the task that listens."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False
