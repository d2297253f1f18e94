"""What a value is as JSON: the same whichever way it is found out, and never a guess."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.connectors.values import as_json


class Size(IntEnum):
    """Numbers with names."""

    SMALL = 1


class Colour(StrEnum):
    """Texts with names."""

    RED = "red"


@dataclass(frozen=True)
class Sore:
    """Something foreign that cannot be compared."""

    size: int = 1

    def __eq__(self, other: object) -> bool:
        """Raise what nobody expects."""
        raise LookupError(other)

    __hash__ = None  # type: ignore[assignment]


class Unsure:
    """An answer that is neither yes nor no."""

    def __bool__(self) -> bool:
        """Raise what nobody expects."""
        raise LookupError


@dataclass(frozen=True)
class Vague:
    """Something foreign that answers a comparison with something foreign, as tables and queries do."""

    size: int = 1

    def __eq__(self, other: object) -> Unsure:  # type: ignore[override]
        """Answer what nobody expects."""
        return Unsure()

    __hash__ = None  # type: ignore[assignment]


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=5),
    st.binary(max_size=2),
    st.sampled_from([Size.SMALL, Colour.RED, Sore(), 2**64, -0.0, 1e-5, 1e16]),
)
_keys = st.one_of(st.text(max_size=3), st.integers(0, 3), st.booleans(), st.none(), st.just(Colour.RED))
VALUES = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(_keys, inner, max_size=3)
    ),
    max_leaves=8,
)


def _by_json(value: object) -> str:
    """Return what `json` makes of `value`, in words; empty when it refuses it."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        return repr(json.loads(text))
    except (TypeError, ValueError):
        return ""


@given(VALUES)
def test_a_value_is_what_json_makes_of_it(value: object) -> None:
    """There is a fast way for what is plain already: it says the same, to the type, and refuses the same."""
    try:
        found = repr(as_json(value))
    except ValueError:
        found = ""
    assert found == _by_json(value)


@pytest.mark.parametrize("stranger", [Sore(), Vague()])
@pytest.mark.parametrize("inside", [False, True])
def test_what_cannot_be_compared_is_refused_as_what_it_is(stranger: object, *, inside: bool) -> None:
    """A comparison of a stranger that fails decides nothing: its type does not fit into JSON."""
    with pytest.raises(ValueError, match=f"{type(stranger).__name__} is not JSON serializable"):
        as_json({"found": stranger} if inside else stranger)


def test_a_value_is_a_copy() -> None:
    """Whoever returned it may go on changing its own."""
    mine: dict[str, list[int]] = {"seen": [1]}
    kept = as_json(mine)
    mine["seen"].append(2)
    assert kept == {"seen": [1]}
