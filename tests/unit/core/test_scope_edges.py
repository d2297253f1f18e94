"""Names, scopes, effects, outcomes: every value and every message at its edge."""

import pytest

from switchgear.core.effects import Effect
from switchgear.core.errors import Denied, Invalid
from switchgear.core.outcome import Outcome, Verdict
from switchgear.core.scope import PLATFORM_TENANT, Principal, Scope, checked_name

SAID = "must be 1 to 128 characters of A-Za-z0-9._:@/+- starting with a letter or digit"


@pytest.mark.parametrize("name", ["a", "Z", "0", "a.b_c:d@e/f+g-h", "x" * 128])
def test_a_good_name_comes_back_as_it_is(name: str) -> None:
    """1 to 128 characters, the first of them a letter or digit."""
    assert checked_name("tenant", name) == name


@pytest.mark.parametrize("name", ["", ".a", "x" * 129, 7])
def test_a_bad_name_is_refused_by_what_it_would_name(name: str) -> None:
    """Tenant, account and actor are each checked, in scope and principal, and the message says which it was."""
    granted = frozenset({"main"})
    for kind, make in (
        ("tenant", lambda: Scope(name, "main", "me")),
        ("account", lambda: Scope("acme", name, "me")),
        ("actor", lambda: Scope("acme", "main", name)),
        ("tenant", lambda: Principal(name, "me", granted, granted)),
        ("actor", lambda: Principal("acme", name, granted, granted)),
    ):
        with pytest.raises(Invalid) as refused:
            make()
        assert refused.value.message == f"{kind} {SAID}"


def test_the_platform_has_a_name_that_no_tenant_can_have() -> None:
    """The platform's scope is let through by its own name; as a name of anything else it is refused."""
    assert PLATFORM_TENANT == "@platform"
    assert Scope(PLATFORM_TENANT, "main", "me").tenant == "@platform"
    principal = Principal(PLATFORM_TENANT, "me", frozenset({"main"}), frozenset())
    assert principal.scope("main") == Scope("@platform", "main", "me")
    with pytest.raises(Invalid):
        checked_name("tenant", PLATFORM_TENANT)


def test_a_denial_says_what_was_not_granted() -> None:
    """Code, policy and message of a missing account and of a missing permission."""
    principal = Principal("acme", "me", frozenset(), frozenset())
    with pytest.raises(Denied) as account:
        principal.scope("main")
    assert account.value.policy == "account"
    assert str(account.value) == "PERMISSION_DENIED: account 'main' is not among the accounts of this token"
    with pytest.raises(Denied) as permission:
        principal.require("intents:write")
    assert permission.value.policy == "permission"
    assert str(permission.value) == "PERMISSION_DENIED: this needs the permission 'intents:write'"


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("read_only", (False, True, True)),
        ("keyed", (True, True, True)),
        ("natural", (True, True, False)),
        ("reconcilable", (True, False, False)),
        ("opaque", (True, False, False)),
    ],
)
def test_an_effect_says_whether_it_writes_repeats_and_repeats_in_doubt(name: str, facts: tuple[bool, ...]) -> None:
    """A set value may be set again, but not blindly after doubt: somebody may have set another since."""
    effect = Effect(name)
    assert (effect.writes, effect.repeats, effect.repeats_in_doubt) == facts


def test_an_outcome_starts_with_nothing_said() -> None:
    """Only the state has to be given."""
    outcome = Outcome("failed")
    assert (outcome.value, outcome.code, outcome.message, outcome.attempts, outcome.replayed) == (
        None,
        None,
        "",
        0,
        False,
    )
    assert outcome.succeeded is False
    assert Outcome("succeeded").succeeded is True


def test_verdicts_are_numbers_for_tables() -> None:
    """Success, failure and nothing said are three values."""
    assert [verdict.value for verdict in Verdict] == [0, 1, 2]


@pytest.mark.parametrize(
    ("declared", "other", "holds"),
    [
        ("read_only", None, "read_only"),
        ("keyed", None, "keyed"),
        ("keyed", "read_only", "keyed"),
        ("read_only", "read_only", "read_only"),
        ("read_only", "keyed", "keyed"),
        ("read_only", "opaque", "opaque"),
        ("keyed", "natural", "natural"),
        ("natural", "reconcilable", "reconcilable"),
        ("opaque", "read_only", "opaque"),
        ("opaque", "keyed", "opaque"),
        ("reconcilable", "keyed", "reconcilable"),
        ("opaque", "reconcilable", "opaque"),
    ],
)
def test_nobody_loosens_an_effect_that_was_declared(declared: str, other: str | None, holds: str) -> None:
    """What may not be repeated stays so whatever is said beside it; what may takes on what allows less."""
    assert Effect(declared).or_stricter(None if other is None else Effect(other)) is Effect(holds)
