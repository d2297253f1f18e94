"""The bounds of the REST surface are checked at birth and follow the configuration."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from switchgear.assembly.configuration import default
from switchgear.core.errors import OptionError
from switchgear.surfaces.rest import RestLimits, limits_of


@pytest.mark.parametrize("name", [option.name for option in fields(RestLimits)])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "10", True, None])
def test_a_bound_that_cannot_work_is_refused(name: str, value: object) -> None:
    """House rule 8: options are checked at birth, each by name."""
    with pytest.raises(OptionError, match=name):
        replace(RestLimits(), **{name: value})  # type: ignore[arg-type] # ill-typed on purpose


@pytest.mark.parametrize("name", [option.name for option in fields(RestLimits) if option.type == "int"])
def test_counts_are_whole(name: str) -> None:
    """A count of half a request means nothing."""
    with pytest.raises(OptionError, match=name):
        replace(RestLimits(), **{name: 1.5})  # type: ignore[arg-type] # ill-typed on purpose


def test_only_the_grace_may_be_nothing() -> None:
    """A stop without grace is a choice; any other bound of 0 would refuse everything."""
    assert RestLimits(grace=0.0).grace == 0.0
    with pytest.raises(OptionError):
        RestLimits(requests_max=0)


def test_the_configuration_has_the_same_bounds() -> None:
    """One default: what the configuration page says is what holds."""
    assert limits_of(default(store="memory://")) == RestLimits()
