"""Running mutants: each in a forked process, so that nothing on disk is ever changed.

What runs when a module is imported is tried in a process that imports the changed module. What runs later is tried in a
process that has imported all modules and collected all tests: only the code of the functions is exchanged there.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Literal

import pytest

from tools.mutants.operators import Mutant, mutants_of
from tools.mutants.selection import Reach, Selected, run_tests

Fate = Literal["killed", "timeout", "survived", "unreached"]
_FORK = multiprocessing.get_context("fork")
_MEMORY_BYTES_MAX = 2**32  # a mutant that never stops to append must not take the machine down


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant."""

    module: str
    line: int
    what: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant with its number, its module, and the tree that it is in force in until the next is asked for."""

    number: int
    name: str
    path: Path
    tree: ast.Module
    mutant: Mutant

    def result(self, fate: Fate) -> Result:
        """Return what became of it."""
        return Result(self.name, self.mutant.line, self.mutant.what, fate)

    def code(self) -> CodeType:
        """Return the changed module."""
        return compile(ast.fix_missing_locations(self.tree), str(self.path), "exec")


@dataclass(frozen=True, slots=True)
class Work:
    """What one worker tries: its share of the mutants of these modules, by their number."""

    modules: Mapping[str, Path]
    reach: Reach
    worker: int
    workers: int

    def mutants(self) -> Iterator[Tried]:
        """Yield our share."""
        number = 0
        for name, path in self.modules.items():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for mutant in mutants_of(tree):
                number += 1
                if number % self.workers == self.worker:
                    yield Tried(number, name, path, tree, mutant)


def results_of(modules: Mapping[str, Path], reach: Reach, files: Sequence[str], jobs: int) -> Iterator[Result]:
    """Yield what becomes of each mutant of these modules, as it is known, from `jobs` processes at once."""
    queue: SimpleQueue[Result | None] = _FORK.SimpleQueue()
    shares = [Work(modules, reach, worker, jobs) for worker in range(jobs)]
    workers = [_FORK.Process(target=_work, args=(share, files, queue)) for share in shares]
    for worker in workers:
        worker.start()
    running = jobs
    while running:
        result = queue.get()
        if result is None:
            running -= 1
        else:
            yield result


def _work(work: Work, files: Sequence[str], queue: SimpleQueue[Result | None]) -> None:
    """Try each mutant of a share: by exchange where tests run it, and in a fresh import where that tells nothing."""
    try:
        exchanged = _exchanged(work, files)
        for tried in work.mutants():
            fate = exchanged.get(tried.number, "unreached")
            if fate not in {"killed", "timeout"} and work.reach.runs_at_import(tried.path, tried.mutant):
                tests = work.reach.all_tests(tried.path)
                fate = _fate(partial(_import_it, tried, tests), work.reach.allowance(tests))
            queue.put(tried.result(fate))
    finally:
        queue.put(None)


# -- What runs at import -------------------------------------------------------------------------------------


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from code given here."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name = name
        self._path = path
        self._code = code

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer for the one."""
        if fullname != self._name:
            return None
        folder = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=self, submodule_search_locations=folder
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code."""
        exec(self._code, module.__dict__)  # noqa: S102 - the code of this repository, with one thing changed


def _import_it(tried: Tried, tests: Sequence[str]) -> None:
    """Run the tests against the changed module, and leave with their exit code."""
    sys.meta_path.insert(0, _Replaced(tried.name, tried.path, tried.code()))
    code, _ = run_tests(sorted({test.partition("::")[0] for test in tests}), Selected(tests))
    os._exit(code)


# -- What runs later -----------------------------------------------------------------------------------------


def _exchanged(work: Work, files: Sequence[str]) -> dict[int, Fate]:
    """Return the fates of the mutants that tests run, by number. The work is done in a process of its own."""
    queue: SimpleQueue[tuple[int, Fate] | None] = _FORK.SimpleQueue()
    process = _FORK.Process(target=_loop, args=(work, files, queue))
    process.start()
    fates: dict[int, Fate] = {}
    while (told := queue.get()) is not None:
        fates[told[0]] = told[1]
    process.join()
    return fates


def _loop(work: Work, files: Sequence[str], queue: SimpleQueue[tuple[int, Fate] | None]) -> None:
    try:
        run_tests(files, _Loop(work, queue))
    finally:
        queue.put(None)


class _Loop:
    """A plugin of pytest that, instead of running what was collected, tries one mutant after the other with it."""

    def __init__(self, work: Work, queue: SimpleQueue[tuple[int, Fate] | None]) -> None:
        self._work = work
        self._queue = queue

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try our share. True says to pytest that the tests have been run."""
        reach = self._work.reach
        functions = _functions_of(self._work.modules.values())
        for tried in self._work.mutants():
            tests = reach.tests_of_lines(tried.path, tried.mutant)
            if tests:
                attempt = partial(_exchange_it, tried, functions[tried.path], session, tests)
                self._queue.put((tried.number, _fate(attempt, reach.allowance(tests))))
        return True


def _exchange_it(
    tried: Tried, functions: Sequence[FunctionType], session: pytest.Session, tests: Sequence[str]
) -> None:
    """Run the tests with the changed functions, and leave with the exit code."""
    _exchange(functions, tried.code())
    items = {item.nodeid: item for item in session.items}
    os._exit(_run_items(session, [items[test] for test in tests]))


def _functions_of(paths: Iterable[Path]) -> dict[Path, list[FunctionType]]:
    """Return the live functions of each file."""
    found: dict[Path, list[FunctionType]] = {path: [] for path in paths}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType):
            found.get(Path(thing.__code__.co_filename), []).append(thing)
    return found


def _exchange(functions: Sequence[FunctionType], module: CodeType) -> None:
    """Give the functions the code that they have in `module`."""
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes_in(module)}
    for function in functions:
        function.__code__ = codes[function.__code__.co_qualname, function.__code__.co_firstlineno]


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes_in(constant)


def _run_items(session: pytest.Session, items: Sequence[pytest.Item]) -> int:
    """Run the tests up to the first that fails. Return the exit code."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


# -- Both ----------------------------------------------------------------------------------------------------


def _fate(attempt: Callable[[], None], seconds: float) -> Fate:
    """Run `attempt` in a process of its own, for so many seconds at most."""
    process = _FORK.Process(target=_bounded, args=(attempt,))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return "timeout"
    return "survived" if process.exitcode == 0 else "killed"


def _bounded(attempt: Callable[[], None]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    attempt()
