"""Canonical JSON at its edges: numbers where the notation changes, the order of keys, depth, and what is refused."""

import hashlib
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.canonical import canonical_json, digest
from switchgear.core.errors import Invalid


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (10.0, "10"),
        (120.5, "120.5"),
        (0.5, "0.5"),
        (0.025, "0.025"),
        (1e20, "100000000000000000000"),
        (1.5e20, "150000000000000000000"),
        (1e21, "1e+21"),
        (1.25e21, "1.25e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (12345678901234.5, "12345678901234.5"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (-1e-7, "-1e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2**53 - 1, "9007199254740991"),
        (-(2**53) + 1, "-9007199254740991"),
    ],
)
def test_a_number_is_written_as_javascript_writes_it(value: float, text: str) -> None:
    """RFC 8785 prescribes Number::toString: plain up to 21 digits and down to 1e-6, the shortest digits, no zeros."""
    assert canonical_json(value) == text.encode()


def test_keys_are_sorted_by_their_utf_16_units() -> None:
    """A key beyond the basic plane stands before one at its end, as RFC 8785 orders them."""
    value = {"\ufb01": 1, "\U0001f600": 2, "b": None, "a": [True, False, ()]}
    assert canonical_json(value) == '{"a":[true,false,[]],"b":null,"\U0001f600":2,"\ufb01":1}'.encode()


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    """Another program can make the digest too."""
    assert digest({"b": 1, "a": "x"}) == hashlib.sha256(b'{"a":"x","b":1}').hexdigest()


def nested(levels: int, *, by_key: bool) -> object:
    """Return containers inside each other."""
    value: object = 1
    for _ in range(levels):
        value = {"a": value} if by_key else [value]
    return value


@pytest.mark.parametrize("by_key", [True, False])
def test_sixty_four_levels_are_the_most(by_key: bool) -> None:  # noqa: FBT001 - a column
    """A scalar in 64 containers is taken, in 65 it is not, whether they are arrays or objects."""
    assert canonical_json(nested(64, by_key=by_key)).count(b"1") == 1
    with pytest.raises(Invalid) as refused:
        canonical_json(nested(65, by_key=by_key))
    assert refused.value.message == "nested deeper than 64 levels"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\ud800", "text contains a lone surrogate, which JSON cannot carry"),
        ({"\udc00": 1}, "text contains a lone surrogate, which JSON cannot carry"),
        ({1}, "set is not a JSON type"),
        (b"x", "bytes is not a JSON type"),
        ({5: 1}, "object keys must be text, not int"),
        (2**53, "an integer beyond 2^53 is not exact in JSON; send it as text"),
        (-(2**53), "an integer beyond 2^53 is not exact in JSON; send it as text"),
        (nan, "NaN and infinities are not JSON numbers"),
        (-inf, "NaN and infinities are not JSON numbers"),
    ],
)
def test_what_json_cannot_say_exactly_is_refused(value: Any, said: str) -> None:  # noqa: ANN401 - any value at all
    """The message says what is wrong with the value."""
    with pytest.raises(Invalid) as refused:
        canonical_json(value)
    assert refused.value.message == said


class NoList(list[object]):
    """A list that says it is false, as those do that stand for a result which is none."""

    def __bool__(self) -> bool:
        """Say so."""
        return False


class NoDict(dict[str, object]):
    """An object that says it is false."""

    def __bool__(self) -> bool:
        """Say so."""
        return False


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NoList([1, 2]), "[1,2]"),
        (NoList(), "[]"),
        (NoDict(a=NoList([1])), '{"a":[1]}'),
        (NoDict(), "{}"),
    ],
)
def test_what_a_container_holds_counts_and_not_whether_it_is_true(value: object, text: str) -> None:
    """The text is JSON whatever a subclass thinks of its truth: a digest must not rest on that."""
    assert canonical_json(value) == text.encode()
