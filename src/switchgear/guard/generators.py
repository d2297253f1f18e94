"""The drivers of generators, blocking and asynchronous: guarded from their first step to their end or close.

One iteration is one call. It is let in at its first step, and holds its place and its probe until it is exhausted,
raises, is closed, or is dropped. Between steps nothing is active: the deadline is in force, and time counts as
duration, only while the generator itself runs. The two drivers differ in how they wait; what they do is in
`switchgear.guard.stream`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from switchgear.guard.admission import enter, enter_async
from switchgear.guard.drivers import Arguments, Keywords
from switchgear.guard.member import Member
from switchgear.guard.stream import Closing, Source, Stream
from switchgear.guard.terms import Terms

AsyncSource = AsyncGenerator[Any, Any]
StreamOf = Callable[[Arguments, Keywords], Stream]
"""Opens the books of an iteration for the arguments of a call."""


def guarded_generator(function: Callable[..., Source], stream_of: StreamOf) -> Callable[..., Source]:
    """Return `function`, a generator function, guarded. `stream_of` opens the books for the arguments of a call."""

    def generate(*args: Any, **kwargs: Any) -> Source:
        stream = stream_of(args, kwargs)
        source: Source | None = None
        move: tuple[Callable[[Any], Any], Any] | None = None
        try:
            source, item = _first(stream, stream.around(function), args, kwargs)
            while not stream.ended:
                try:
                    move = source.send, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - `athrow` hands it to the guarded generator
                    move = source.throw, thrown
                with stream.step(StopIteration) as step:
                    step.go_on()
                    item = step.run(source, *move)
            return stream.value
        finally:
            move = None  # an error must not be kept alive by the frames that it passed
            try:
                if source is not None and not stream.ended:
                    _close(stream, source)
            finally:
                stream.drop()

    return generate


def guarded_async_generator(function: Callable[..., AsyncSource], stream_of: StreamOf) -> Callable[..., AsyncSource]:
    """Return `function`, an async generator function, guarded, as `guarded_generator` does."""

    async def generate(*args: Any, **kwargs: Any) -> AsyncSource:
        stream = stream_of(args, kwargs)
        source: AsyncSource | None = None
        move: tuple[Callable[[Any], Any], Any] | None = None
        try:
            source, item = await _first_async(stream, stream.around(function), args, kwargs)
            while not stream.ended:
                try:
                    move = source.asend, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - `athrow` hands it to the guarded generator
                    move = source.athrow, thrown
                with stream.step(StopAsyncIteration) as step:
                    step.go_on()
                    step.arm()
                    item = await move[0](move[1])
        finally:
            move = None  # an error must not be kept alive by the frames that it passed
            try:
                if source is not None and not stream.ended:
                    with Closing(stream) as closing:
                        closing.arm()
                        await source.aclose()
            finally:
                stream.drop()

    return generate


def drive_generator(
    member: Member,
    terms: Terms,
    function: Callable[..., Source],
    args: Arguments,
    kwargs: Keywords,
) -> Source:
    """Return a guarded generator; nothing happens before its first step."""
    return guarded_generator(function, lambda *call: Stream(member, terms, (function, *call)))(*args, **kwargs)


def drive_async_generator(
    member: Member,
    terms: Terms,
    function: Callable[..., AsyncSource],
    args: Arguments,
    kwargs: Keywords,
) -> AsyncSource:
    """Return a guarded async generator; nothing happens before its first step."""
    return guarded_async_generator(function, lambda *call: Stream(member, terms, (function, *call)))(*args, **kwargs)


def _first(stream: Stream, function: Callable[..., Source], args: Arguments, kwargs: Keywords) -> tuple[Source, Any]:
    """Take the first step, again where `Retry` allows it. Return the running generator and what it gave."""
    item = None
    while True:
        with stream.step(StopIteration) as step:
            if (refusal := step.ask()) is not None:
                step.let_in(enter(stream.hold, refusal, step.now, step.ends, sent=stream.sent))
            source = function(*args, **kwargs)
            item = step.run(source, source.send, None)
        if step.delay is None:
            return source, item
        stream.member.plan.clock.sleep(step.delay)
        stream.tries.again()


async def _first_async(
    stream: Stream, function: Callable[..., AsyncSource], args: Arguments, kwargs: Keywords
) -> tuple[AsyncSource, Any]:
    """Take the first step, as `_first` does."""
    item = None
    while True:
        with stream.step(StopAsyncIteration) as step:
            if (refusal := step.ask()) is not None:
                step.let_in(await enter_async(stream.hold, refusal, step.now, step.ends, sent=stream.sent))
            step.arm()
            source = function(*args, **kwargs)
            item = await _first_of(source)
        if step.delay is None:
            return source, item
        await stream.member.plan.clock.sleep_async(step.delay)
        stream.tries.again()


def _first_of(source: AsyncSource) -> Awaitable[Any]:
    """Return the first step of `source`, of which the event loop is not told: who drives it closes it, nobody else."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, _leave_alone)
    try:
        return source.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_alone(_source: AsyncSource) -> None:
    """Do nothing when a guarded generator is dropped together with its driver, which closes it."""


def _close(stream: Stream, source: Source) -> None:
    """Close a generator in this thread, whatever the bounds: the garbage collector may be who asks for it."""
    if not stream.left_behind:
        with Closing(stream):
            source.close()
