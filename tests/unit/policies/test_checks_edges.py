"""The checks by themselves: bounds, what is a number, and the example that a message gives when none is named."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.checks import require_count, require_number, require_seconds, require_share
from switchgear.policies.errors import require_filter


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (
            lambda: require_seconds("Policy(MAX)", -1),
            "Policy(MAX) needs seconds above 0, not -1; write for example Policy(MAX=1.0)",
        ),
        (
            lambda: require_count("Policy(MAX)", 0),
            "Policy(MAX) needs a whole number of at least 1, not 0; write for example Policy(MAX=5)",
        ),
        (
            lambda: require_share("Policy(MAX)", 0),
            "Policy(MAX) needs a share above 0 and at most 1, not 0; write for example Policy(MAX=0.5)",
        ),
        (
            lambda: require_number("MAX", -3, least=-2, example=7),
            "MAX needs a number of at least -2, not -3; write for example MAX=7",
        ),
        (
            lambda: require_number("MAX", -2, above=-2, least=-9, example=7),
            "MAX needs a number above -2, not -2; write for example MAX=7",
        ),
        (
            lambda: require_filter("Policy(MAX)", 5),
            (
                "Policy(MAX) needs exception classes or a function of the error, not 5; "
                "write for example Policy(MAX=(ConnectionError,))"
            ),
        ),
    ],
    ids=["seconds", "count", "share", "least", "above", "filter"],
)
def test_a_check_has_an_example_of_its_own(check: Callable[[], None], said: str) -> None:
    """Nobody has to name one; an option without a policy is shown as a bare argument."""
    with pytest.raises(OptionError) as refused:
        check()
    assert refused.value.message == said


@pytest.mark.parametrize("value", [True, "1", None, nan, inf, -inf, 10**400])
def test_what_is_no_finite_number_is_none(value: Any) -> None:  # noqa: ANN401 - any value at all
    """Truth values, text and what no float can hold are refused by every check of a number."""
    for check in (require_seconds, require_share):
        with pytest.raises(OptionError):
            check("Policy(a)", value)
    with pytest.raises(OptionError):
        require_number("Policy(a)", value, example=1.0)


def test_a_bound_that_is_allowed_is_allowed() -> None:
    """At least means the bound too; above does not; a share may be all."""
    require_seconds("Policy(a)", 0, zero=True)
    require_seconds("Policy(a)", 0.001)
    require_number("Policy(a)", -2, least=-2, example=1)
    require_number("Policy(a)", -1e308, example=1)
    require_count("Policy(a)", 1)
    require_count("Policy(a)", 0, least=0)
    require_share("Policy(a)", 1)
    require_share("Policy(a)", 0.001)
