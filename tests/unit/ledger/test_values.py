"""What the value of a row says, when it says nothing."""

from __future__ import annotations

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.ledger.values import read_value

_number = msgspec.json.Decoder(int).decode


def test_a_value_is_what_its_decoder_makes_of_it() -> None:
    """Where nothing is wrong, nothing is added."""
    assert read_value(_number, b"7", "the row of {}", "seven") == 7


@pytest.mark.parametrize("value", [b"", b"{", b'"7"'])
def test_what_cannot_be_read_is_named_in_the_words_of_the_store(value: bytes) -> None:
    """Whatever the decoder says, whoever keeps rows meets one error, which names the row."""
    with pytest.raises(StoreError, match="the row of seven cannot be read: ") as refusal:
        read_value(_number, value, "the row of {}", "seven")
    assert refusal.value.code is Code.LEDGER_CORRUPT
    assert isinstance(refusal.value.__cause__, msgspec.MsgspecError)


def test_a_value_that_breaks_a_rule_of_ours_cannot_be_read_either() -> None:
    """What was accepted once would be accepted again; so it is not what was written."""

    def refuse(value: bytes) -> int:
        raise Invalid(f"{value!r} is none", policy="sevens")

    with pytest.raises(StoreError, match="cannot be read") as refusal:
        read_value(refuse, b"7", "a row")
    assert isinstance(refusal.value.__cause__, Invalid)
