"""Numbers of a body, by what its type wants."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from switchgear.surfaces.rest.body_types import with_whole_numbers


class Step(Struct, forbid_unknown_fields=True):
    """A part of a body."""

    number: int = 0


class Body(Struct, forbid_unknown_fields=True):
    """A body with every place where a number may stand."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 1
    maybe: Annotated[int, Meta(ge=1)] | None = None
    rate: float = 1.0
    steps: Annotated[list[Step], Meta(max_length=3)] = []
    free: Any = None
    mode: Annotated[Literal["one", "two"], Meta(description="x")] | None = None


def read(value: object) -> Body:
    """Return `value` as a body."""
    return msgspec.convert(with_whole_numbers(value, Body), Body)


def test_whole_number_may_be_written_with_a_point() -> None:
    """RFC 8259: 194.0 and 194 are one number, so an integer takes both, wherever it stands."""
    body = read({"limit": 194.0, "maybe": 2.0, "steps": [{"number": 3.0}]})
    assert (body.limit, body.maybe, body.steps[0].number) == (194, 2, 3)
    assert type(body.limit) is int


def test_what_is_no_integer_stays_as_it_is() -> None:
    """A float stays one, and what a tool is given is not touched."""
    body = read({"rate": 2.0, "free": {"x": 1.0}})
    assert type(body.rate) is float
    assert type(body.free["x"]) is float


@pytest.mark.parametrize("wrong", [{"limit": 1.5}, {"limit": "2"}, {"limit": True}, {"limit": 1e300}, {"limit": 0.0}])
def test_nothing_else_becomes_an_integer(wrong: dict[str, object]) -> None:
    """Text, truth values, fractions and numbers out of range are refused as before."""
    with pytest.raises(msgspec.ValidationError):
        read(wrong)
