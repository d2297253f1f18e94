"""Keeps credentials that a remote echoes out of whatever is recorded, in the forms that echoes usually have.

A remote that transforms a credential in another way, or takes it apart, is not caught.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from urllib.parse import quote

from msgspec.structs import replace

from switchgear.execution.contract import Result, Succeeded

HIDDEN = "[hidden]"


def without_secrets(result: Result, secrets: Sequence[str]) -> Result:
    """Return `result` with every secret in its value or message replaced."""
    if not secrets:
        return result
    forms = [form for secret in secrets for form in _forms(secret)]
    if not isinstance(result, Succeeded):
        return replace(result, message=_hidden_text(result.message, forms))
    try:
        return replace(result, value=_hidden(result.value, forms))
    except RecursionError:
        return replace(result, value={"unrecorded": "the value is nested too deep to be searched for credentials"})


def _forms(secret: str) -> list[str]:
    """Return how a remote may echo `secret`: as it is, escaped for JSON, a URL or HTML, or in base64."""
    in_json = json.dumps(secret)[1:-1]
    encoded = base64.b64encode(secret.encode()).decode()
    forms = {secret, in_json, in_json.replace("/", "\\/"), quote(secret, safe=""), html.escape(secret), encoded}
    return sorted(forms, key=len, reverse=True)


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
