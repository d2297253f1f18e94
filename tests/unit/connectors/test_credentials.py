"""Secrets are read by reference, taken up when they change, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from switchgear.connectors.credentials import Credentials, PerTenant, Reference
from switchgear.core.errors import OptionError


def test_an_environment_variable_is_read_from_what_was_given(tmp_path: Path) -> None:
    """The environment is handed in, never looked up."""
    assert Credentials({"TOKEN": "s3cret"}, tmp_path).read(Reference("env", "TOKEN", "Bearer ")) == "s3cret"


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A rotated secret is taken up without a restart."""
    file = tmp_path / "token"
    credentials, reference = Credentials({}, tmp_path), Reference("file", "token")
    file.write_text("old\n")
    assert credentials.read(reference) == "old"
    file.write_text("new\n")
    os.utime(file, ns=(1, 1))
    assert credentials.read(reference) == "new"


@pytest.mark.parametrize(
    "reference", [Reference("env", "MISSING"), Reference("file", "missing"), Reference("env", "EMPTY")]
)
def test_a_missing_secret_is_named_by_its_place(reference: Reference, tmp_path: Path) -> None:
    """The error says where the value should stand."""
    with pytest.raises(OptionError, match=reference.name):
        Credentials({"EMPTY": ""}, tmp_path).read(reference)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\x00b", "é"])
def test_a_secret_that_would_break_the_header_is_refused_without_being_shown(value: str, tmp_path: Path) -> None:
    """No header can be injected through a secret, and the error does not quote it."""
    with pytest.raises(OptionError) as caught:
        Credentials({"TOKEN": value}, tmp_path).read(Reference("env", "TOKEN"))
    assert value not in str(caught.value)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """A secret has a bound."""
    (tmp_path / "token").write_text("x" * 70_000)
    with pytest.raises(OptionError, match="cannot be read"):
        Credentials({}, tmp_path).read(Reference("file", "token"))


def test_literal_values_of_tenants_do_not_show() -> None:
    """What may be a secret is not in the text of its holder."""
    assert "s3cret" not in repr(PerTenant({"acme": "s3cret"}))
