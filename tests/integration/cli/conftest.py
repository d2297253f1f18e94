"""One real server for the tests of a file, the command line run against it, and its log where a test fails."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest

from tests.integration.cli.harness import RUNNING, Ran, Run, Server, prepare, run_in, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server for the tests of one file."""
    with serving(prepare(tmp_path_factory.mktemp("gear"))) as running:
        yield running
        assert running.signal(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def gear(server: Server) -> Run:
    """Run command lines against the server, with a saved token of the tenant acme."""
    assert run_in(server.folder, "token", "--tenant", "acme", "--save").exit_code == 0

    def run(*words: str, text: str = "", **variables: str) -> Ran:
        return run_in(server.folder, *words, text=text, **{"SWITCHGEAR_URL": server.url, **variables})

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure what the servers that still run have said."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {running.url}", running.log) for running in RUNNING]
    return report
