"""The pytest plugin, run by a pytest inside the test: fixtures fit together, and marked tests run in simulated time."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ("pytester",)

# The name is blocked first, so that it makes no difference whether the plugin is installed under it as well. That the
# plugin is imported already, by the pytest outside, is no warning worth an error.
PLUGIN = ("-p", "no:switchgear", "-p", "switchgear.testing.pytest_plugin")
WARNINGS = ("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")
ALONE = ("-p", "no:asyncio")
BESIDE = ("-o", "asyncio_default_fixture_loop_scope=function", "-o")
MODES = pytest.mark.parametrize(
    "mode",
    [ALONE, (*BESIDE, "asyncio_mode=strict"), (*BESIDE, "asyncio_mode=auto")],
    ids=["alone", "beside-strict", "beside-auto"],
)


def outcomes(pytester: pytest.Pytester, source: str, mode: tuple[str, ...] = ALONE) -> dict[str, int]:
    """Run a test file under the plugin. Return how many tests passed, failed, and so on."""
    pytester.makepyfile(source)
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *WARNINGS, *PLUGIN, *mode)
    return run.parseoutcomes()


@MODES
def test_fixtures_share_one_clock(pytester: pytest.Pytester, mode: tuple[str, ...]) -> None:
    """Upstream and guards of a test live on its one clock, virtual or simulated."""
    source = """
        import asyncio
        import pytest
        from switchgear import Timeout
        from switchgear.testing import SimulatedLoop, hang, slow

        def test_blocking(virtual_clock, fake_upstream, guard_factory):
            fake_upstream.then(slow(5.0, "late"))
            assert guard_factory("api").call(fake_upstream.call) == "late"
            assert virtual_clock.monotonic() == 1005.0

        def test_by_hand(simulated_loop, fake_upstream):
            fake_upstream.then(slow(5.0, "late"))
            assert simulated_loop.run_until_complete(fake_upstream.call_async()) == "late"
            assert simulated_loop.time() == 1005.0

        @pytest.mark.simulated
        async def test_marked(simulated_loop, fake_upstream, guard_factory):
            assert asyncio.get_running_loop() is simulated_loop
            fake_upstream.then(hang())
            with pytest.raises(TimeoutError):
                await guard_factory(timeout=Timeout(60.0)).call(fake_upstream.call_async)
            assert simulated_loop.time() == 1060.0

        class TestInAClass:
            @pytest.mark.simulated(seed=3)
            async def test_marked(self, simulation_seed, switchgear_clock):
                assert asyncio.get_running_loop().seed == simulation_seed == 3
                assert asyncio.get_running_loop().clock is switchgear_clock
    """
    assert outcomes(pytester, source, mode) == {"passed": 4}


@MODES
def test_seeds_run_a_test_once_for_each(pytester: pytest.Pytester, mode: tuple[str, ...]) -> None:
    """`seeds=` tries interleavings, and the one that fails says its seed."""
    source = """
        import asyncio
        import pytest

        @pytest.mark.simulated(seeds=20)
        async def test_lost_update():
            total = 0

            async def add(turns):
                nonlocal total
                for _ in range(turns):
                    await asyncio.sleep(0)
                read = total
                await asyncio.sleep(0)
                total = read + 1

            await asyncio.gather(add(1), add(3))
            assert total == 2
    """
    found = outcomes(pytester, source, mode)
    assert found["passed"] + found["failed"] == 20
    assert found["passed"] > 0
    assert found["failed"] > 0


def test_a_leaking_test_is_an_error(pytester: pytest.Pytester) -> None:
    """A guard of the factory that still holds a place at the end is named; who means it says so."""
    source = """
        from switchgear import Bulkhead

        def test_leak(guard_factory):
            guard_factory("crm", bulkhead=Bulkhead(3)).permit_nowait()

        def test_on_purpose(guard_factory):
            guard_factory("crm", idle_at_end=False, bulkhead=Bulkhead(3)).permit_nowait()
    """
    assert outcomes(pytester, source) == {"passed": 2, "errors": 1}


def test_tasks_that_are_left_end_with_the_test(pytester: pytest.Pytester) -> None:
    """The loop of a test cancels what still runs, and closes."""
    source = """
        import asyncio
        import pytest
        kept = []

        @pytest.mark.simulated
        async def test_leave():
            kept.append(asyncio.create_task(asyncio.sleep(1e6)))
            kept.append(asyncio.get_running_loop())

        def test_after():
            assert kept[0].cancelled()
            assert kept[1].is_closed()
    """
    assert outcomes(pytester, source) == {"passed": 2}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("@pytest.mark.simulated\ndef test_it(): pass", "is for `async def` tests"),
        ("@pytest.mark.simulated(sead=1)\nasync def test_it(): pass", "the marker is simulated(seed=None, seeds=0)"),
        ("@pytest.mark.simulated(1)\nasync def test_it(): pass", "the marker is simulated(seed=None, seeds=0)"),
    ],
)
def test_a_wrong_marker_is_refused(pytester: pytest.Pytester, source: str, says: str) -> None:
    """A marker that would do nothing, or other than it says, is an error."""
    pytester.makepyfile(f"import pytest\n{source}")
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", *PLUGIN, *ALONE)
    assert run.ret != 0
    assert says in run.stdout.str() + run.stderr.str()


def test_the_kit_does_not_import_pytest() -> None:
    """Whoever only wants a virtual clock needs the standard library and no more."""
    program = "import sys, switchgear.testing; print('pytest' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "False"), run.stderr
