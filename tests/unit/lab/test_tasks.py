"""Tasks of the simulation: who owns them, and what they take from a loop."""

from __future__ import annotations

import asyncio

from switchgear.lab.simulation.tasks import NumberedTask, TaskFactory, start_for


class Life:
    """An owner that notes its tasks."""

    stands_still = False

    def __init__(self) -> None:
        """Own nothing yet."""
        self.tasks: list[asyncio.Task[object]] = []

    def own(self, task: asyncio.Task[object]) -> None:
        """Note `task`."""
        self.tasks.append(task)


async def test_a_task_has_the_name_that_was_asked_for() -> None:
    """A loop hands over the name as it is asked for one (CPython 3.13.3), or gives it afterwards (before)."""
    loop = asyncio.get_running_loop()
    factory = TaskFactory()
    loop.set_task_factory(factory)
    asked = asyncio.create_task(asyncio.sleep(0), name="asked")
    handed = factory(loop, asyncio.sleep(0), name="handed")
    await asyncio.gather(asked, handed)
    assert isinstance(asked, NumberedTask)
    assert isinstance(handed, NumberedTask)
    assert [asked.get_name(), handed.get_name()] == ["asked", "handed"]


async def test_what_a_task_starts_belongs_to_its_owner() -> None:
    """A crash ends a whole life: what was started for it, and what that started with a name of its own."""

    async def parent() -> None:
        await asyncio.create_task(asyncio.sleep(0), name="child")

    asyncio.get_running_loop().set_task_factory(TaskFactory())
    life = Life()
    await start_for(life, parent())
    await asyncio.create_task(asyncio.sleep(0), name="stranger")
    assert [task.get_name() for task in life.tasks[1:]] == ["child"]
