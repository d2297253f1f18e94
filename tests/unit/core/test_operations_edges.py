"""The table of timeouts against its page, and its overrides at their edges."""

from dataclasses import FrozenInstanceError
from math import inf, nan
from pathlib import Path

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.core.operations import OPERATIONS, Operation, operations_with

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "timeouts.md").read_text(encoding="utf-8")


def test_every_bound_is_the_one_that_is_documented() -> None:
    """A default that people plan with does not change unseen, nor does the code of its breach."""
    table = {name: (operation.seconds, operation.code.value) for name, operation in OPERATIONS.items()}
    assert table == {
        "nats.connect": (10.0, "TIMEOUT_NATS_CONNECT"),
        "kv.get": (5.0, "TIMEOUT_KV_GET"),
        "kv.put": (5.0, "TIMEOUT_KV_PUT"),
        "stream.ensure": (10.0, "TIMEOUT_STREAM_ENSURE"),
        "publish": (5.0, "TIMEOUT_PUBLISH"),
        "subscribe": (10.0, "TIMEOUT_SUBSCRIBE"),
        "request": (5.0, "TIMEOUT_REQUEST"),
        "consume": (10.0, "TIMEOUT_CONSUME"),
        "unix.connect": (5.0, "TIMEOUT_UNIX_CONNECT"),
        "unix.request": (30.0, "TIMEOUT_UNIX_REQUEST"),
        "mcp.request": (30.0, "TIMEOUT_MCP_REQUEST"),
        "intent.execute": (30.0, "TIMEOUT_INTENT_EXECUTE"),
        "revert": (30.0, "TIMEOUT_REVERT"),
        "http.connect": (5.0, "TIMEOUT_HTTP_CONNECT"),
        "journal.append": (10.0, "TIMEOUT_JOURNAL_APPEND"),
        "journal.read": (10.0, "TIMEOUT_JOURNAL_READ"),
    }
    assert all(f"`{name}`" in PAGE for name in OPERATIONS)
    assert [name for name, operation in OPERATIONS.items() if operation.name != name] == []


def test_an_override_replaces_the_seconds_and_nothing_else() -> None:
    """Name and code stay, seconds become a float, other rows stay, and so does the table itself."""
    table = operations_with({"kv.get": 1})
    assert table["kv.get"] == Operation("kv.get", 1.0, Code.TIMEOUT_KV_GET)
    assert isinstance(table["kv.get"].seconds, float)
    assert {**table, "kv.get": OPERATIONS["kv.get"]} == OPERATIONS
    assert operations_with({"kv.get": 0.001})["kv.get"].seconds == 0.001
    assert operations_with({}) == OPERATIONS


def test_an_operation_cannot_be_changed() -> None:
    """A row of the table is frozen, and has no room for more."""
    with pytest.raises(FrozenInstanceError):
        setattr(OPERATIONS["kv.get"], "seconds", 1.0)  # noqa: B010 - a type checker refuses the statement
    assert not hasattr(OPERATIONS["kv.get"], "__dict__")


@pytest.mark.parametrize("seconds", [0, 0.0, -1.0, inf, nan])
def test_an_override_is_finite_and_above_zero(seconds: float) -> None:
    """The message names the operation and shows the seconds."""
    with pytest.raises(OptionError) as refused:
        operations_with({"kv.get": seconds})
    assert refused.value.message == f"operation 'kv.get' needs seconds above 0, not {seconds!r}"


def test_an_unknown_operation_is_answered_with_those_that_are_known() -> None:
    """A mistyped name is refused, and the message lists what could have been meant."""
    with pytest.raises(OptionError) as refused:
        operations_with({"kv.gte": 1.0})
    assert refused.value.message == f"unknown operation 'kv.gte'; known are {', '.join(sorted(OPERATIONS))}"
