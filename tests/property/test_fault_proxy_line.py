"""Laws of a proxied line, under any faults, chunks, switches and moments."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from switchgear.testing import ConnectionFaults
from switchgear.testing.fault_proxy_line import Ending, Line
from switchgear.testing.fault_proxy_words import HEALTHY, Strike

_BUFFER_BYTES_MAX = 64
_STRIKES: tuple[Strike | None, ...] = (None, "reset", "cut", "swallow", "hold")
_HARMLESS = st.builds(
    ConnectionFaults,
    latency=st.floats(0, 5),
    jitter=st.floats(0, 5),
    bytes_per_second=st.none() | st.floats(0.5, 1_000),
    slow_close=st.floats(0, 5),
)
_ANY = st.builds(
    lambda harmless, then, after: ConnectionFaults(
        latency=harmless.latency,
        jitter=harmless.jitter,
        bytes_per_second=harmless.bytes_per_second,
        slow_close=harmless.slow_close,
        then=then,
        after_bytes=after if then else 0,
    ),
    _HARMLESS,
    st.sampled_from(_STRIKES),
    st.integers(0, 40),
)
_CHUNKS = st.lists(st.binary(min_size=1, max_size=30), max_size=8)


class Run:
    """Drives one line as a connection does, and keeps what came out."""

    def __init__(self, faults: ConnectionFaults, seed: int) -> None:
        self.line = Line(faults, random=Random(seed), luck=0.0, buffer_bytes_max=_BUFFER_BYTES_MAX)
        self.now = 0.0
        self.out = b""
        self.lost = 0
        self.endings: list[Ending] = []

    def work(self, until: float) -> None:
        """Do all that is due before `until`."""
        while not self.endings:
            step = self.line.step(self.now, writable=True)
            self.out += step.data
            self.lost += step.lost
            if step.ending is not None:
                self.endings.append(step.ending)
            elif step.wake_at is not None:
                assert step.wake_at > self.now, "a line that is not ready never says to come back at once"
                if step.wake_at > until:
                    return
                self.now = step.wake_at
            elif not step.data and not step.lost:
                return

    def offer(self, data: bytes) -> bytes:
        """Push as much as there is room for. Return what was pushed."""
        pushed = data[: self.line.room_bytes]
        if pushed:
            self.line.push(pushed, self.now)
        assert 0 <= self.line.room_bytes <= _BUFFER_BYTES_MAX
        return pushed


@given(faults=_HARMLESS, chunks=_CHUNKS, seed=st.integers(0, 99))
def test_slow_lines_deliver_everything(faults: ConnectionFaults, chunks: list[bytes], seed: int) -> None:
    """Faults of time change no byte and no order, and every line comes to its end."""
    run = Run(faults, seed)
    sent = b""
    for chunk in chunks:
        sent += run.offer(chunk)
        run.work(run.now + 0.5)
    run.line.end(Ending.END, run.now)
    run.work(float("inf"))
    assert (run.out, run.lost, run.endings) == (sent, 0, [Ending.END])


@given(first=_ANY, second=_ANY, chunks=_CHUNKS, seed=st.integers(0, 99))
def test_what_comes_out_is_the_beginning_of_what_went_in(
    first: ConnectionFaults, second: ConnectionFaults, chunks: list[bytes], seed: int
) -> None:
    """Whatever the faults, and however they are switched, no reader gets bytes behind a hole."""
    run = Run(first, seed)
    sent = b""
    for place, chunk in enumerate(chunks):
        if place == len(chunks) // 2:
            run.line.switch(second, run.now)
        sent += run.offer(chunk)
        run.work(run.now + 1.0)
        if run.endings:
            break
    assert sent.startswith(run.out)
    assert len(run.out) + run.lost <= len(sent)


@given(faults=_ANY, chunks=_CHUNKS, seed=st.integers(0, 99))
def test_after_healing_every_line_comes_to_an_end(faults: ConnectionFaults, chunks: list[bytes], seed: int) -> None:
    """A healed line delivers all that was sent and its end, or a reset or a cut; it never hangs."""
    run = Run(faults, seed)
    sent = b""
    for chunk in chunks:
        sent += run.offer(chunk)
        run.work(run.now + 1.0)
    run.line.switch(HEALTHY, run.now)
    run.line.end(Ending.END, run.now)
    run.work(float("inf"))
    assert run.endings
    assert run.endings != [Ending.END] or run.out == sent
