"""How permissions of the subjects are gathered."""

from __future__ import annotations

from typing import ClassVar

from switchgear.control.breakers import Breakers
from switchgear.control.intents import Intents
from switchgear.control.permissions import Permissions, gathered
from switchgear.control.readiness import Readiness


class Approvals:
    """A subject that shares a permission with another."""

    permissions: ClassVar[Permissions] = Permissions(
        tenant=("intents:read", "approvals:decide"), platform=("platform:read",)
    )


def test_permissions_keep_the_order_of_their_subjects() -> None:
    """The list in a help text reads as the subjects do, and a subject may need none."""
    found = gathered([Intents, Readiness, Breakers])
    assert found.tenant == ("intents:submit", "intents:read", "intents:cancel", "breakers:read")
    assert found.platform == ("platform:read",)


def test_permission_that_two_subjects_need_is_listed_once() -> None:
    """A token carries a permission once, however many use cases ask for it."""
    found = gathered([Breakers, Intents, Approvals])
    assert found.tenant.count("intents:read") == 1
    assert found == Permissions(
        tenant=("breakers:read", "intents:submit", "intents:read", "intents:cancel", "approvals:decide"),
        platform=("platform:read",),
    )
