"""What the demo's tenants send: good requests of every effect class, repeats, contradictions, and nonsense.

Pure: draws come from a seeded source. Each request says what an honest server must answer, so the audit can
tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from switchgear.core.codes import Code
from switchgear.surfaces.cli.demo.crm_records import CONTACTS, ORDER_AMOUNT_MAX

ACCOUNT = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One request to be sent.

    `expect` is the code that it must be refused with; None: it may be accepted. `copies` are sent at the same
    moment. `withdrawn` asks to cancel it soon after it was accepted. `authorised` False sends no token.
    """

    tool: str
    arguments: dict[str, Any]
    key: str | None
    account: str = ACCOUNT
    expect: Code | None = None
    copies: int = 1
    withdrawn: bool = False
    authorised: bool = True


@dataclass(slots=True)
class Catalogue:
    """Draws wishes for one tenant. `recent` holds accepted ones, to be repeated or contradicted."""

    tenant: str
    rng: random.Random
    count: int = 0
    recent: list[Wish] = field(default_factory=list)

    def draw(self) -> Wish:
        """Return the next wish."""
        kinds = [kind for kind, _ in _WEIGHTS]
        kind = self.rng.choices(kinds, [weight for _, weight in _WEIGHTS])[0]
        return kind(self)

    def fresh_key(self, word: str) -> str:
        """Return a key that was never used before."""
        self.count += 1
        return f"{self.tenant}-{word}-{self.count}"

    def contact(self) -> str:
        """Return a contact that the CRM has."""
        return str(self.rng.randrange(CONTACTS))

    def accepted(self, wish: Wish) -> None:
        """Keep a wish whose key is bound now, for repeats and contradictions; the last fifty are enough."""
        if wish.key is not None:
            self.recent = [*self.recent[-49:], replace(wish, copies=1, withdrawn=False)]


def _read(book: Catalogue) -> Wish:
    return Wish(tool="crm.get_contact", arguments={"contact_id": book.contact()}, key=None)


def _order(book: Catalogue) -> Wish:
    arguments = {"contact_id": book.contact(), "amount": book.rng.randint(1, ORDER_AMOUNT_MAX)}
    return Wish(tool="crm.create_order", arguments=arguments, key=book.fresh_key("order"))


def _email_change(book: Catalogue) -> Wish:
    key = book.fresh_key("email")
    arguments = {"contact_id": book.contact(), "email": f"{key}@example.com"}
    return Wish(tool="crm.change_email", arguments=arguments, key=key)


def _note(book: Catalogue) -> Wish:
    key = book.fresh_key("note")
    arguments = {"contact_id": book.contact(), "reference": key}
    return Wish(tool="crm.add_note", arguments=arguments, key=key)


def _email(book: Catalogue) -> Wish:
    key = book.fresh_key("mail")
    return Wish(tool="crm.send_email", arguments={"to": f"{key}@example.com"}, key=key)


def _unknown_contact(_: Catalogue) -> Wish:
    return Wish(tool="crm.get_contact", arguments={"contact_id": str(CONTACTS + 1)}, key=None)


def _order_refused_by_crm(book: Catalogue) -> Wish:
    arguments = {"contact_id": book.contact(), "amount": ORDER_AMOUNT_MAX + 1}
    return Wish(tool="crm.create_order", arguments=arguments, key=book.fresh_key("order"))


def _repeat(book: Catalogue) -> Wish:
    return book.rng.choice(book.recent) if book.recent else _order(book)


def _at_once(book: Catalogue) -> Wish:
    return replace(_order(book), copies=3)


def _withdrawn(book: Catalogue) -> Wish:
    return replace(_order(book), withdrawn=True)


def _contradiction(book: Catalogue) -> Wish:
    orders = [wish for wish in book.recent if wish.tool == "crm.create_order"]
    if not orders:
        return _order(book)
    earlier = book.rng.choice(orders)
    other = {**earlier.arguments, "amount": earlier.arguments["amount"] % ORDER_AMOUNT_MAX + 1}
    return replace(earlier, arguments=other, expect=Code.IDEMPOTENCY_CONFLICT, copies=1)


def _invalid(book: Catalogue) -> Wish:
    good = {"contact_id": book.contact(), "amount": 1}
    order = Wish(tool="crm.create_order", arguments=good, key=book.fresh_key("wrong"))
    return book.rng.choice(
        (
            replace(order, tool="crm.no_such_tool", expect=Code.NOT_FOUND),
            replace(order, key=None, expect=Code.IDEMPOTENCY_KEY_REQUIRED),
            replace(order, arguments={**good, "amount": "many"}, expect=Code.INVALID_ARGUMENT),
            replace(order, account="not-mine", expect=Code.PERMISSION_DENIED),
            replace(order, authorised=False, expect=Code.TENANT_UNAUTHENTICATED),
        )
    )


_WEIGHTS: tuple[tuple[Callable[[Catalogue], Wish], float], ...] = (
    (_read, 30),
    (_order, 30),
    (_email_change, 7),
    (_note, 7),
    (_email, 5),
    (_unknown_contact, 2),
    (_order_refused_by_crm, 2),
    (_repeat, 7),
    (_at_once, 3),
    (_withdrawn, 5),
    (_contradiction, 3),
    (_invalid, 4),
)
