"""Credentials that a remote echoes never reach what is recorded."""

from __future__ import annotations

import pytest

from switchgear.connectors.http.hiding import without_secrets
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Succeeded, Uncertain

SECRET = "sek/ret+value1234"


@pytest.mark.parametrize(
    "value", [SECRET, [f"Bearer {SECRET}"], {"a": {SECRET: [SECRET, 1, None]}}, f"x{SECRET}y{SECRET}"]
)
def test_a_secret_is_hidden_in_the_decoded_value(value: object) -> None:
    """Escapes that JSON resolves bring a secret back: it is hidden after decoding, in values and in names."""
    hidden = without_secrets(Succeeded(value), (SECRET,))
    assert isinstance(hidden, Succeeded)
    assert SECRET not in repr(hidden.value)
    assert "[hidden]" in repr(hidden.value)


def test_a_secret_is_hidden_in_messages() -> None:
    """What a refusal or doubt says is recorded too."""
    refused = Refused(Code.TOOL_FAILED, f"bad key {SECRET}", retryable=False, verdict=Verdict.SUCCESS)
    for result in (refused, Uncertain(Code.DEPENDENCY_FAILED, SECRET)):
        assert SECRET not in repr(without_secrets(result, (SECRET,)))


def test_without_secrets_nothing_changes() -> None:
    """A call without credentials is left alone."""
    result = Succeeded({"a": [1, "x"]})
    assert without_secrets(result, ()) is result


@pytest.mark.parametrize(
    "echo",
    [
        "sek\\/ret+value1234",
        "sek%2Fret%2Bvalue1234",
        "c2VrL3JldCt2YWx1ZTEyMzQ=",
        '{\\"token\\":\\"sek/ret+value1234\\"}',
    ],
)
def test_a_secret_is_hidden_in_the_forms_that_echoes_have(echo: str) -> None:
    """Escaped for JSON, in a URL, in base64, or in JSON inside a text."""
    hidden = without_secrets(Succeeded(f"got {echo}"), (SECRET,))
    assert isinstance(hidden, Succeeded)
    assert hidden.value == f"got {echo.replace(SECRET, '[hidden]') if SECRET in echo else '[hidden]'}"


def test_a_value_too_deep_to_search_is_not_recorded() -> None:
    """What cannot be searched for credentials is replaced; that it happened stands."""
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    hidden = without_secrets(Succeeded(deep), (SECRET,))
    assert isinstance(hidden, Succeeded)
    assert "unrecorded" in str(hidden.value)
