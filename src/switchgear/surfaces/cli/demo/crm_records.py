"""What the demo's CRM knows and does: its records, and the operations on them. No HTTP and no faults here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from switchgear.core.mutexes import new_mutex
from switchgear.surfaces.cli.demo.effects import Effect, EffectLog, read_effects

KEY_HEADER = "Idempotency-Key"
CONTACTS = 50
ORDER_AMOUNT_MAX = 1_000


class Refusal(Exception):
    """A definite no: nothing was changed."""

    def __init__(self, status: HTTPStatus, message: str, retry_after: int | None = None) -> None:
        """Keep the answer; `retry_after` is whole seconds."""
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Request:
    """One request, taken apart: `parts` is the path between its slashes."""

    method: str
    parts: tuple[str, ...]
    key: str
    body: dict[str, Any]


class Records:
    """What the CRM knows. Every change is one line in the effect log; a restart reads it back."""

    def __init__(self, log_path: Path) -> None:
        """Recall every earlier effect from `log_path`."""
        self._lock = new_mutex()
        self._log = EffectLog(log_path)
        earlier = list(read_effects(log_path))
        self._answers = {effect.key: effect.answer for effect in earlier if effect.operation == "order"}
        self._notes = {effect.answer["reference"]: effect.answer for effect in earlier if effect.operation == "note"}
        self._count = len(earlier)

    def apply(self, operation: str, key: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Apply one effect and return its answer.

        Doubles are applied and logged like any other: it is not keyed.
        """
        with self._lock:
            return self._apply(operation, key, facts)

    def apply_once(self, operation: str, key: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Apply one effect for `key`, or return the answer that `key` got before."""
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._apply(operation, key, facts)
            return self._answers[key]

    def note(self, reference: str) -> dict[str, Any] | None:
        """Return the note with this reference, or None."""
        with self._lock:
            return self._notes.get(reference)

    def _apply(self, operation: str, key: str, facts: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        answer = {"id": f"{operation}-{self._count}", **facts}
        self._log.append(Effect(time.time(), operation, key, answer))
        if operation == "note":
            self._notes[facts["reference"]] = answer
        return answer


class Crm:
    """Answers requests from its records."""

    def __init__(self, records: Records) -> None:
        """Serve `records`."""
        self._records = records

    def operation(self, request: Request) -> Callable[[], dict[str, Any]]:
        """Return what would carry out `request`, having checked it. Nothing has happened yet.

        Raises `Refusal` for what can never work.
        """
        match request.method, request.parts:
            case "GET", ("contacts", contact):
                return lambda: self._contact(contact)
            case "GET", ("notes", reference):
                return lambda: self._note(reference)
            case "PUT", ("contacts", contact, "email"):
                facts = {"contact": contact, "email": _text(request.body, "email")}
                return lambda: self._records.apply("email_change", request.key, facts)
            case "POST", _:
                return self._posting(request)
        raise Refusal(HTTPStatus.NOT_FOUND, "no such path")

    def _posting(self, request: Request) -> Callable[[], dict[str, Any]]:
        match request.parts:
            case ("orders",):
                order = _order(request)
                return lambda: self._records.apply_once("order", request.key, order)
            case ("contacts", contact, "notes"):
                note = {"contact": contact, "reference": _text(request.body, "reference")}
                return lambda: self._records.apply("note", request.key, note)
            case ("emails",):
                email = {"to": _text(request.body, "to")}
                return lambda: self._records.apply("email", request.key, email)
        raise Refusal(HTTPStatus.NOT_FOUND, "no such path")

    def _contact(self, contact: str) -> dict[str, Any]:
        if not contact.isdigit() or int(contact) >= CONTACTS:
            raise Refusal(HTTPStatus.NOT_FOUND, f"no contact {contact}")
        return {"id": contact, "name": f"Contact {contact}"}

    def _note(self, reference: str) -> dict[str, Any]:
        note = self._records.note(reference)
        if note is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"no note with the reference {reference}")
        return note


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{name} must be text")
    return value


def _order(request: Request) -> dict[str, Any]:
    if not request.key:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"an order needs the header {KEY_HEADER}")
    amount = request.body.get("amount")
    if not isinstance(amount, int) or not 0 < amount <= ORDER_AMOUNT_MAX:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"amount must be 1 to {ORDER_AMOUNT_MAX}")
    return {"contact": _text(request.body, "contact_id"), "amount": amount}
