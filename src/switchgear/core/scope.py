"""Whose action it is: tenant, account, actor; and the platform's own scope for what belongs to no tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid

PLATFORM_TENANT = "@platform"
TENANTS_AT_HAND = 32_768
"""For so many tenants the engine keeps at hand what each action of theirs needs. Of more it makes some of it anew."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}\Z")


def checked_name(kind: str, value: object) -> str:
    """Return `value` when it can name a `kind` (tenant, account, actor): 1 to 128 of ``A-Za-z0-9._:@/+-``.

    Raises `Invalid` otherwise. The platform's name starts with ``@`` and can so never be a tenant's.
    """
    if not isinstance(value, str) or not _NAME.match(value):
        raise Invalid(f"{kind} must be 1 to 128 characters of A-Za-z0-9._:@/+- starting with a letter or digit")
    return value


@dataclass(frozen=True, slots=True)
class Scope:
    """Tenant, account and actor of one action. There is no default tenant."""

    tenant: str
    account: str
    actor: str

    def __post_init__(self) -> None:
        """Check the names."""
        if self.tenant != PLATFORM_TENANT:
            checked_name("tenant", self.tenant)
        checked_name("account", self.account)
        checked_name("actor", self.actor)


scope_of = lru_cache(maxsize=TENANTS_AT_HAND)(Scope)
"""`Scope`, for who asks for the same ones over and over."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller: its tenant, its actor name, the accounts and permissions it was granted."""

    tenant: str
    actor: str
    accounts: frozenset[str]
    permissions: frozenset[str]

    def __post_init__(self) -> None:
        """Check the names."""
        if self.tenant != PLATFORM_TENANT:
            checked_name("tenant", self.tenant)
        checked_name("actor", self.actor)

    def scope(self, account: str) -> Scope:
        """Return the scope for one of the granted accounts.

        Raises `Denied` (PERMISSION_DENIED) when the account is not among them.
        """
        if account not in self.accounts:
            raise Denied(f"account {account!r} is not among the accounts of this token", policy="account")
        return scope_of(self.tenant, account, self.actor)

    def require(self, permission: str) -> None:
        """Raise `Denied` (PERMISSION_DENIED) unless `permission` was granted."""
        if permission not in self.permissions:
            raise Denied(f"this needs the permission {permission!r}", code=Code.PERMISSION_DENIED, policy="permission")
