"""The guard has not become slow: every row against its floor by hand, in one interleaved run, no peers needed.

Ratios are compared, never times. The factor is generous, since this runs on whatever machine and under whatever
load; `make bench ARGS=--check-ratios` is the strict one, for a quiet machine.
"""

from __future__ import annotations

import pytest

from benchmarks.regression import BRIEF, check, read_record

FACTOR = 2.0
"""How many times its recorded ratio a row may have here."""


@pytest.mark.integration
def test_no_row_costs_twice_what_it_did_beside_one_by_hand() -> None:
    """A row fails when it is above the factor in each of three measurements."""
    found = check(read_record(), BRIEF, factor=FACTOR, tries=3)
    assert not found, "\n".join(map(str, found))
