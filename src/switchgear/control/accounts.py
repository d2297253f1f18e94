"""Which account an action is for, where the caller may leave it out. One rule for everything that takes an account.

It decides from the verified token alone: nothing that was sent, and nothing of another tenant, has a say in it.
"""

from __future__ import annotations

from switchgear.core.errors import Denied, Invalid
from switchgear.core.scope import Principal, Scope

_NAMED_MAX = 10


def scope_for(principal: Principal, account: str | None) -> Scope:
    """Return the scope of `account`; None means the only account of the token.

    Raises `Invalid` that names the accounts to choose from when there are several; `Denied` (PERMISSION_DENIED) for an
    account that is not granted, and for a token that has none.
    """
    if account is not None:
        return principal.scope(account)
    granted = sorted(principal.accounts)
    if not granted:
        raise Denied("this token has no account, so there is none to act for", policy="account")
    if len(granted) > 1:
        raise Invalid(f"say which account: this token has {_listed(granted)}", policy="account")
    return principal.scope(granted[0])


def _listed(names: list[str]) -> str:
    """Return names in words, the first ten of many."""
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
