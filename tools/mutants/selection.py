"""Which tests reach which lines of a module, and how long each takes. Found by running them once under coverage."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

from tools.mutants.operators import Mutant

OPTIONS = ("-x", "-q", "--tb=no", "--assert=plain", "-o", "cache_dir=.cache/mutants")
IMPORT = ""  # stands among the tests for what no test did: importing and collecting
PLUGINS = ("-p", "asyncio", "-p", "timeout", "-p", "_hypothesis_pytestplugin", "--hypothesis-profile=mutants")


@dataclass(frozen=True, slots=True)
class Reach:
    """Tests by line, for each file, and the seconds that each test takes."""

    lines: Mapping[Path, Mapping[int, frozenset[str]]]
    seconds: Mapping[str, float]

    def runs_at_import(self, path: Path, mutant: Mutant) -> bool:
        """Return whether importing or collecting runs the lines of `mutant`, so that any test may notice."""
        return not mutant.deferred or any(IMPORT in self._at(path, line) for line in mutant.lines)

    def tests_of_lines(self, path: Path, mutant: Mutant) -> list[str]:
        """Return the tests that run the lines of `mutant`, best first; none if only importing does."""
        found = {test for line in mutant.lines for test in self._at(path, line)} if mutant.deferred else set()
        return self._ordered(path, found - {IMPORT})

    def all_tests(self, path: Path) -> list[str]:
        """Return every test, best first: any may notice what was built at import."""
        return self._ordered(path, set(self.seconds))

    def _ordered(self, path: Path, tests: set[str]) -> list[str]:
        """Put first the tests that are named for the module, then those that run any of it, the quick ones first."""
        near = {test for tests_of_line in self.lines[path].values() for test in tests_of_line}
        return sorted(
            tests, key=lambda test: (path.stem not in test.partition("::")[0], test not in near, self.seconds[test])
        )

    def _at(self, path: Path, line: int) -> frozenset[str]:
        return self.lines[path].get(line, frozenset())

    def allowance(self, tests: Sequence[str]) -> float:
        """Return the seconds after which a run of `tests` counts as one that never ends."""
        return 10.0 + 5.0 * sum(self.seconds[test] for test in tests)


class Selected:
    """A plugin of pytest that runs these tests only, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        """Keep the order."""
        self._rank = {test: rank for rank, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop the others."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank), key=lambda item: self._rank[item.nodeid]
        )


class _Recorder:
    """A plugin of pytest that names each test to the coverage, and notes how long it took."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Everything from set-up to tear-down belongs to the test."""
        self._measured.switch_context(item.nodeid)
        result = yield
        self._measured.switch_context(IMPORT)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the phases."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def run_tests(files: Sequence[str], *plugins: object) -> tuple[int, str]:
    """Run pytest in this very process. Return its exit code and what it printed."""
    said = io.StringIO()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = int(pytest.main([*OPTIONS, *PLUGINS, *files], plugins=list(plugins)))
    return code, said.getvalue()


def reach_of(files: Sequence[str], sources: Sequence[Path]) -> Reach:
    """Run the tests in `files` once and return what they reach of `sources`.

    Raises `RuntimeError` when one of them fails: a mutant would tell nothing then.
    """
    measured = coverage.Coverage(data_file=None, include=[str(path) for path in sources], config_file=False)
    recorder = _Recorder(measured)
    measured.start()
    code, said = run_tests(files, recorder)
    measured.stop()
    if code != 0:
        raise RuntimeError("the tests fail without any mutant; mend them first\n" + said)
    data = measured.get_data()
    lines = {
        path: {line: frozenset(tests) for line, tests in data.contexts_by_lineno(str(path)).items()} for path in sources
    }
    return Reach(lines, recorder.seconds)
