"""Keeps credentials that a remote echoes out of whatever is recorded: raw, and again once escapes are resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from switchgear.execution.contract import Result, Succeeded

HIDDEN = "[hidden]"


def without_secrets(result: Result, secrets: Sequence[str]) -> Result:
    """Return `result` with every secret in its value or message replaced."""
    if not secrets:
        return result
    if isinstance(result, Succeeded):
        return replace(result, value=_hidden(result.value, secrets))
    return replace(result, message=_hidden_text(result.message, secrets))


def _hidden(value: object, secrets: Sequence[str]) -> object:
    if isinstance(value, str):
        return _hidden_text(value, secrets)
    if isinstance(value, list):
        return [_hidden(item, secrets) for item in value]
    if isinstance(value, dict):
        return {_hidden_text(str(key), secrets): _hidden(item, secrets) for key, item in value.items()}
    return value


def _hidden_text(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
