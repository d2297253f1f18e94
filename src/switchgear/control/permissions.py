"""How a subject declares the permissions that its use cases need, and how they are gathered. It checks nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a subject's use cases need: within the caller's own tenant, and over all tenants."""

    tenant: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()


class Subject(Protocol):
    """A class of use cases about one thing. Each method takes the verified principal first.

    The class declares `permissions` as ``ClassVar[Permissions]``.
    """

    permissions: ClassVar[Permissions]


def gathered(subjects: Iterable[type[Subject]]) -> Permissions:
    """Return the permissions of all `subjects`, each once, in their order."""
    declared = [subject.permissions for subject in subjects]
    return Permissions(
        tenant=tuple(dict.fromkeys(name for one in declared for name in one.tenant)),
        platform=tuple(dict.fromkeys(name for one in declared for name in one.platform)),
    )
