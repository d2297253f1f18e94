"""The regression guard names what got dearer, and nothing else: ratios are compared, never times."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import hand_written, ours, regression
from benchmarks.contenders import Row
from benchmarks.regression import Ratios, Worse, check, compared, read_record, worse, write_record
from benchmarks.timing import Effort

TINY = Effort(rounds=1, lap_seconds=0.0001)
RECORDED: Ratios = {"retry": {"a": 1.0, "b": 2.0}, "refused": {"a": 0.5}}


def measuring(monkeypatch: pytest.MonkeyPatch, *measured: Ratios) -> list[list[str] | None]:
    """Let measurements give `measured`, one after the other. Return the rows that each was asked for."""
    left, asked = list(measured), list[list[str] | None]()

    def measure(_effort: Effort, rows: Iterable[Row] | None = None) -> Ratios:
        asked.append(None if rows is None else [row.key for row in rows])
        return left.pop(0)

    monkeypatch.setattr(regression, "measure_ratios", measure)
    return asked


def test_every_row_of_a_call_has_a_floor() -> None:
    """A row without a floor by hand would be a row that may get dearer unseen. That of threads is no row of a call."""
    assert {row.key for row in compared()} == set(hand_written.CONTENDERS) - {"scaling"}
    assert {"breaker_async", "breaker_sync", "refused", "limit_sync", "limit_async", "retry"} <= {
        row.key for row in compared()
    }
    assert {"timeout", "pipeline", "pipeline_suspending"} <= {row.key for row in compared()}


def test_the_record_is_of_the_rows_that_are_measured() -> None:
    """A row or variant that was renamed is recorded under its new name, or it would be held against nothing."""
    recorded = {(row, variant) for row, variants in read_record().items() for variant in variants}
    assert recorded == {(row.key, one.variant) for row in compared() for one in ours.CONTENDERS[row.key]}


def test_ratios_are_measured_without_any_peer() -> None:
    """The development environment is enough: only ours and the floor take part."""
    row = next(row for row in compared() if row.key == "retry")
    measured = regression.measure_ratios(TINY, [row])
    assert set(measured["retry"]) == {contender.variant for contender in ours.CONTENDERS["retry"]}
    assert all(ratio > 0 for ratio in measured["retry"].values())


@pytest.mark.parametrize(("ratio", "found"), [(1.0, False), (1.3, False), (1.31, True), (0.2, False)])
def test_a_row_is_worse_above_the_factor(ratio: float, *, found: bool) -> None:
    """30 % are allowed, since no two runs are alike; being quicker is no fault."""
    one = Worse("retry", "a", ratio, 1.0)
    assert worse({"retry": {"a": ratio}}, RECORDED) == ([one] if found else [])


def test_what_was_never_recorded_is_named() -> None:
    """A new row is not silently fine: it has to be recorded."""
    found = worse({"retry": {"new": 1.0}}, RECORDED)
    assert found == [Worse("retry", "new", 1.0, None)]
    assert "--write-ratios" in str(found[0])


def test_a_row_is_named_with_what_it_was() -> None:
    """The line says which row, which form of ours, and by how much."""
    assert str(Worse("retry", "a", 1.5, 1.0)) == "retry (a): 1.50 × the floor, was 1.00: +50%"


def test_only_what_is_worse_each_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy moment fails nothing: what looks worse is measured again, by itself, and has to stay worse."""
    asked = measuring(
        monkeypatch,
        {"retry": {"a": 9.0, "b": 9.0}, "refused": {"a": 9.0}},
        {"retry": {"a": 8.0, "b": 2.0}, "refused": {"a": 0.5}},
        {"retry": {"a": 7.0, "b": 9.0}},
    )
    assert check(RECORDED, TINY) == [Worse("retry", "a", 7.0, 1.0)]
    assert asked == [None, ["refused", "retry"], ["retry"]]


def test_nothing_is_measured_again_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good run is one measurement; what was never recorded stays so however often it is measured."""
    assert len(measuring(monkeypatch, {"retry": {"a": 1.0}})) == 0
    assert check(RECORDED, TINY) == []
    asked = measuring(monkeypatch, {"retry": {"new": 1.0}})
    assert check(RECORDED, TINY) == [Worse("retry", "new", 1.0, None)]
    assert asked == [None]


def test_the_factor_can_be_generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """The integration test allows twice the ratio, on whatever machine it runs."""
    measuring(monkeypatch, {"retry": {"a": 1.9}})
    assert check(RECORDED, TINY, factor=2.0) == []


def test_a_record_says_what_it_was_measured_on(tmp_path: Path) -> None:
    """Ratios, machine and date are kept together, and read back as they were."""
    path = tmp_path / "ratios.json"
    write_record(RECORDED, {"date": "2026-01-02", "cores": "2"}, path)
    assert read_record(path) == RECORDED
    assert '"date": "2026-01-02"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("found", "code"), [([], 0), ([Worse("retry", "a", 1.5, 1.0)], 1)])
def test_the_command_fails_when_a_row_got_worse(
    found: list[Worse], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check-ratios` names the rows and exits with 1, so that a script can hold on to it."""
    monkeypatch.setattr(command, "check", lambda *_: found)
    monkeypatch.setattr(command, "_settle_down", lambda: None)
    assert command.main(["--check-ratios"]) == code
    printed = capsys.readouterr().out
    assert ("retry (a)" in printed) == bool(found)


def test_the_command_writes_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--write-ratios` keeps what was measured with the machine and the date."""
    written: list[tuple[object, dict[str, str]]] = []
    monkeypatch.setattr(command, "measure_ratios", lambda _effort: RECORDED)
    monkeypatch.setattr(command, "write_record", lambda ratios, machine: written.append((ratios, machine)))
    monkeypatch.setattr(command, "_settle_down", lambda: None)
    assert command.main(["--write-ratios"]) == 0
    assert written[0][0] == RECORDED
    assert {"processor", "cores", "python", "date"} <= set(written[0][1])


def test_the_command_does_one_of_both() -> None:
    """Writing the record and checking against it in one run would always be content."""
    with pytest.raises(SystemExit):
        command.main(["--check-ratios", "--write-ratios"])
