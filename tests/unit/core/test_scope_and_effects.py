"""Scopes, principals, effect classes, outcomes."""

import pytest

from switchgear.core.effects import Effect
from switchgear.core.errors import Denied, Invalid
from switchgear.core.outcome import Outcome
from switchgear.core.scope import PLATFORM_TENANT, Principal, Scope


@pytest.mark.parametrize("name", ["", " ", "-a", "@platform", "a b", "a\n", "ä", "x" * 129, None, 5])
def test_names_are_plain_and_bounded(name: str) -> None:
    """A tenant, account or actor is 1 to 128 plain characters; none can pass for the platform."""
    with pytest.raises(Invalid):
        Principal(name if name != PLATFORM_TENANT else "@platforn", "actor", frozenset(), frozenset())
    with pytest.raises(Invalid):
        Scope("acme", name, "actor")


def test_a_principal_grants_what_it_was_granted() -> None:
    """Accounts and permissions are those of the token and no others."""
    principal = Principal("acme", "user:1", frozenset({"main"}), frozenset({"intents:write"}))
    assert principal.scope("main") == Scope("acme", "main", "user:1")
    principal.require("intents:write")
    with pytest.raises(Denied):
        principal.scope("other")
    with pytest.raises(Denied):
        principal.require("admin")


@pytest.mark.parametrize(
    ("effect", "writes", "repeats"),
    [
        (Effect.READ_ONLY, False, True),
        (Effect.KEYED, True, True),
        (Effect.NATURAL, True, False),
        (Effect.RECONCILABLE, True, False),
        (Effect.OPAQUE, True, False),
    ],
)
def test_effect_classes_say_what_doubt_means(effect: Effect, writes: bool, repeats: bool) -> None:  # noqa: FBT001 - columns
    """Only what changes nothing, or what the remote knows by key, simply runs again."""
    assert (effect.writes, effect.repeats_in_doubt) == (writes, repeats)


def test_an_outcome_succeeded_or_not() -> None:
    """Only the state "succeeded" is success."""
    assert Outcome("succeeded", value=5).succeeded
    assert not Outcome("failed").succeeded
