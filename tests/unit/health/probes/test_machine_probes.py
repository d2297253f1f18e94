"""Probes that need no network: disk, memory, SQL, functions."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.errors import OptionError
from switchgear.health.probe import Probe, ProbeFailed, polarity_of
from switchgear.health.probes import DiskProbe, FunctionProbe, MemoryProbe, SqlProbe

MIB = 1_048_576


def names_in(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return [path.name for path in folder.iterdir()]


async def test_a_disk_with_room_takes_a_write_and_keeps_nothing(tmp_path: Path) -> None:
    """The probe leaves no file behind."""
    probe: Probe = DiskProbe(tmp_path, free_bytes_min=1)
    assert "MiB free" in str(await probe())
    assert names_in(tmp_path) == []


async def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """Too little room is an answer, and a wrong one."""
    with pytest.raises(ProbeFailed, match="MiB free, fewer than"):
        await DiskProbe(tmp_path, free_bytes_min=1 << 60)()


async def test_a_folder_that_is_gone_or_refuses_is_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's no is an answer."""
    with pytest.raises(ProbeFailed, match="FileNotFoundError"):
        await DiskProbe(tmp_path / "gone", free_bytes_min=1)()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProbeFailed, match="No space left"):
        await DiskProbe(tmp_path, free_bytes_min=1)()
    await DiskProbe(tmp_path, free_bytes_min=1, write=False)()


async def test_a_disk_that_lies_is_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written has to read back."""
    monkeypatch.setattr(os, "pread", lambda *_: b"other")
    with pytest.raises(ProbeFailed, match="something else than was written"):
        await DiskProbe(tmp_path, free_bytes_min=1)()


async def test_a_disk_that_hangs_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that does not return says nothing; a network file system may hang so."""
    clock, released = VirtualClock(), threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: released.wait(30.0))
    waiting = asyncio.ensure_future(DiskProbe(tmp_path, free_bytes_min=1, timeout=5.0, clock=clock)())
    await clock.elapse(5.0)
    with pytest.raises(TimeoutError):
        await waiting
    released.set()


class Kernel:
    """The files that the kernel shows, in a folder."""

    def __init__(self, folder: Path, **files: str) -> None:
        self.folder = folder
        self.write("proc/meminfo", "MemTotal: 4096000 kB\nMemAvailable: 2048000 kB\n")
        self.write("proc/self/cgroup", "0::/app/web\n")

    def write(self, name: str, text: str) -> None:
        """Show a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    def probe(self, mib: int) -> MemoryProbe:
        """Return a probe that wants so many MiB."""
        return MemoryProbe(available_bytes_min=mib * MIB, processes=self.folder / "proc", groups=self.folder / "groups")


async def test_memory_of_the_machine(tmp_path: Path) -> None:
    """Without a control group that has a limit, the machine's is what counts."""
    kernel = Kernel(tmp_path)
    assert await kernel.probe(2_000)() == "2,000 MiB left"
    with pytest.raises(ProbeFailed, match="2,000 MiB left, fewer than 2,001"):
        await kernel.probe(2_001)()


async def test_memory_of_a_control_group_above(tmp_path: Path) -> None:
    """The tightest limit above the process counts, and cache that can be dropped is no use of memory."""
    kernel = Kernel(tmp_path)
    kernel.write("groups/app/web/memory.max", "max\n")
    kernel.write("groups/app/web/memory.current", f"{50 * MIB}\n")
    kernel.write("groups/app/memory.max", f"{100 * MIB}\n")
    kernel.write("groups/app/memory.current", f"{90 * MIB}\n")
    kernel.write("groups/app/memory.stat", f"anon {60 * MIB}\ninactive_file {20 * MIB}\n")
    assert await kernel.probe(30)() == "30 MiB left"
    with pytest.raises(ProbeFailed):
        await kernel.probe(31)()


async def test_memory_inside_a_container_that_sees_its_own_root_only(tmp_path: Path) -> None:
    """The path of the group may not exist in there; the limit is then at the root."""
    kernel = Kernel(tmp_path)
    kernel.write("groups/memory.max", f"{64 * MIB}\n")
    kernel.write("groups/memory.current", f"{60 * MIB}\n")
    assert await kernel.probe(4)() == "4 MiB left"


async def test_memory_of_a_control_group_of_version_1(tmp_path: Path) -> None:
    """Older kernels keep memory in a hierarchy of its own, where no limit is a very large number."""
    kernel = Kernel(tmp_path)
    kernel.write("proc/self/cgroup", "5:cpu:/app\n4:memory:/app\n")
    kernel.write("groups/memory/app/memory.limit_in_bytes", f"{80 * MIB}\n")
    kernel.write("groups/memory/app/memory.usage_in_bytes", f"{70 * MIB}\n")
    kernel.write("groups/memory/app/memory.stat", f"total_inactive_file {5 * MIB}\n")
    kernel.write("groups/memory/memory.limit_in_bytes", "9223372036854771712\n")
    kernel.write("groups/memory/memory.usage_in_bytes", f"{70 * MIB}\n")
    assert await kernel.probe(15)() == "15 MiB left"


async def test_memory_that_nobody_knows_never_vouches(tmp_path: Path) -> None:
    """A machine that does not say how much is left is no machine with enough."""
    kernel = Kernel(tmp_path)
    kernel.write("proc/meminfo", "MemTotal: 4096000 kB\n")
    with pytest.raises(ProbeFailed, match="does not say"):
        await kernel.probe(1)()
    with pytest.raises(FileNotFoundError):
        await MemoryProbe(processes=tmp_path / "gone", groups=tmp_path / "gone")()


async def test_memory_of_this_machine() -> None:
    """The real files can be read."""
    assert "MiB left" in str(await MemoryProbe(available_bytes_min=1)())


async def test_a_sqlite_file_answers(tmp_path: Path) -> None:
    """A database that is there is read, and not changed."""
    path = tmp_path / "a file?.db"
    sqlite3.connect(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id)")
    connection.close()
    assert await SqlProbe.sqlite(path)() == "answers a statement"


async def test_a_sqlite_file_that_is_missing_or_none_is_negative(tmp_path: Path) -> None:
    """Nothing is made where there was nothing, and what is no database is told apart."""
    with pytest.raises(ProbeFailed, match="unable to open"):
        await SqlProbe.sqlite(tmp_path / "gone.db")()
    assert names_in(tmp_path) == []
    (tmp_path / "text.db").write_text("this is no database, however long it may go on, and it goes on" * 20)
    with pytest.raises(ProbeFailed, match="not a database"):
        await SqlProbe.sqlite(tmp_path / "text.db")()


class Gone(Exception):
    """What a driver raises when its server does not answer."""


def a_driver(row: object = (1,), fails: Exception | None = None) -> tuple[Callable[[], Any], list[str]]:
    """Return what connects to a driver, and what it was asked."""
    said: list[str] = []

    def execute(statement: str) -> None:
        said.append(statement)
        if fails is not None:
            raise fails

    def close() -> None:
        said.append("closed")

    cursor = SimpleNamespace(execute=execute, fetchone=lambda: row, close=close)
    return lambda: SimpleNamespace(cursor=lambda: cursor, close=close), said


async def test_a_driver_is_asked_and_closed() -> None:
    """One statement, one row, and nothing stays open."""
    connect, said = a_driver()
    assert await SqlProbe(connect)() == "answers a statement"
    assert said == ["SELECT 1", "closed", "closed"]


async def test_what_a_driver_raises_has_its_meaning() -> None:
    """An error of the driver is an answer, unless it is named as one that means silence. Either way all is closed."""
    connect, said = a_driver(fails=Gone("host=db password=hush"))
    with pytest.raises(ProbeFailed, match="Gone: host=db password=…"):
        await SqlProbe(connect)()
    with pytest.raises(ConnectionError):
        await SqlProbe(connect, absent=(Gone,))()
    assert said.count("closed") == 4
    connect, _ = a_driver(fails=ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await SqlProbe(connect)()
    connect, _ = a_driver(row=None)
    with pytest.raises(ProbeFailed, match="without a row"):
        await SqlProbe(connect)()


@pytest.mark.parametrize("statement", ["", "DELETE FROM orders", "SELECT 1; DROP TABLE orders", "update orders"])
def test_a_statement_that_may_destroy_is_refused(statement: str) -> None:
    """A probe reads: what begins otherwise is no probe."""
    connect, _ = a_driver()
    with pytest.raises(OptionError, match="SELECT or VALUES"):
        SqlProbe(connect, statement=statement)


def given(answer: object) -> object:
    """Return what was given."""
    return answer


async def test_a_function_says_yes_or_it_is_a_no() -> None:
    """True and a text are a yes, from blocking and async functions. Forgetting to answer is none."""

    async def asynchronous() -> str:
        return "3 sessions"

    assert await FunctionProbe(lambda: True)() is None
    assert await FunctionProbe(asynchronous)() == "3 sessions"
    for answer in (None, False, 1, "", object()):
        with pytest.raises(ProbeFailed, match="no yes"):
            await FunctionProbe(partial(given, answer))()


async def test_a_function_that_raises_or_hangs() -> None:
    """Its own error tells; silence ends at the bound."""

    def failing() -> bool:
        raise ConnectionRefusedError("nobody")

    with pytest.raises(ConnectionRefusedError) as caught:
        await FunctionProbe(failing)()
    assert polarity_of(caught.value) == "absent"
    clock = VirtualClock()

    async def hanging() -> bool:
        return await asyncio.Event().wait()

    waiting = asyncio.ensure_future(FunctionProbe(hanging, timeout=1.0, clock=clock)())
    await clock.elapse(1.0)
    with pytest.raises(TimeoutError):
        await waiting


async def test_what_is_no_function_is_refused() -> None:
    """A blocking function that returns an awaitable is found, and so is a generator."""

    async def late() -> bool:
        return True

    with pytest.raises(TypeError, match="awaitable"):
        await FunctionProbe(lambda: late())()  # noqa: PLW0108 - a blocking function that returns an awaitable is the case
    with pytest.raises(OptionError, match="answers once"):
        FunctionProbe(lambda: (yield))
    with pytest.raises(TypeError):
        FunctionProbe("text")  # type: ignore[arg-type] # the case


@pytest.mark.parametrize(
    "make",
    [
        lambda: DiskProbe("/", timeout=0),
        lambda: DiskProbe("/", free_bytes_min=0),
        lambda: MemoryProbe(available_bytes_min=0),
        lambda: FunctionProbe(lambda: True, timeout=-1),
        lambda: SqlProbe(lambda: None, timeout=float("nan")),  # type: ignore[arg-type,return-value] # the case
    ],
)
def test_options_are_checked_at_birth(make: Callable[[], object]) -> None:
    """A probe that cannot work is not made."""
    with pytest.raises(OptionError, match="write for example"):
        make()
