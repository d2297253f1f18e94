"""What may stand behind --url, and what somebody is told to write whose address is none."""

from __future__ import annotations

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.named_address import checked_address


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
        ("http://127.0.0.1:8420/", "http://127.0.0.1:8420"),
        ("http://127.0.0.1:8420///", "http://127.0.0.1:8420"),
        ("http://127.0.0.1:8420/v1", "http://127.0.0.1:8420"),
        ("http://127.0.0.1:8420/v1/", "http://127.0.0.1:8420"),
        (" http://127.0.0.1:8420 \n", "http://127.0.0.1:8420"),
        ("HTTP://LOCALHOST:1", "http://localhost:1"),
        ("https://gear.example.org", "https://gear.example.org"),
        ("https://example.org/gear/v1", "https://example.org/gear"),
        ("https://example.org/gear/", "https://example.org/gear"),
        ("https://example.org/v1/v1", "https://example.org/v1"),
        ("http://[::1]:8420/v1", "http://[::1]:8420"),
        ("http://exa_mple:80", "http://exa_mple:80"),
        ("http://bücher.example", "http://bücher.example"),
    ],
)
def test_an_address_is_taken_as_people_have_it_at_hand(given: str, meant: str) -> None:
    """A slash at the end, and the /v1 of the documentation, say nothing new; where it is mounted does."""
    assert checked_address(given) == meant


@pytest.mark.parametrize(
    ("given", "write"),
    [
        ("", "http://127.0.0.1:8420"),
        ("8421", "http://127.0.0.1:8421"),
        (":8421", "http://127.0.0.1:8421"),
        ("http://:8421", "http://127.0.0.1:8421"),
        ("99999", "http://127.0.0.1:8420"),
        ("localhost:8421", "http://localhost:8421"),
        ("127.0.0.1:8421/v1", "http://127.0.0.1:8421"),
        ("http:127.0.0.1:8421", "http://127.0.0.1:8421"),
        ("//localhost:8421", "http://localhost:8421"),
        ("gear.example.org", "https://gear.example.org"),
        ("gear.example.org:8443", "https://gear.example.org:8443"),
        ("ftp://gear.example.org", "https://gear.example.org"),
        ("ws://localhost:8421", "http://localhost:8421"),
        ("::1", "http://[::1]"),
        ("::1:8421", "http://[::1]:8421"),
        ("[::1]:8421", "http://[::1]:8421"),
        ("http://::1:8421", "http://[::1]:8421"),
        ("http://[::1", "http://[::1]"),
        ("http://[zz]:1", "http://127.0.0.1:8420"),
        ("https://2001:db8::7", "https://[2001:db8::7]"),
        ("http://localhost:99999", "http://localhost:8420"),
        ("http://localhost:0", "http://localhost:8420"),
        ("http://localhost:80a", "http://localhost:8420"),
        ("http://a b", "http://127.0.0.1:8420"),
        ("http://", "http://127.0.0.1:8420"),
        ("file:///x", "http://127.0.0.1:8420"),
        ("://", "http://127.0.0.1:8420"),
        ("http://\udcff", "http://127.0.0.1:8420"),
        ("x" * 5_000, "http://127.0.0.1:8420"),
    ],
)
def test_an_address_that_is_none_says_what_to_write(given: str, write: str) -> None:
    """What was probably meant is spelled out, and it is an address itself; else the usual one stands for an example."""
    with pytest.raises(CommandFailure) as caught:
        checked_address(given)
    failure = caught.value
    advice = failure.advice.removeprefix("Write --url ")
    assert failure.exit_code == ExitCode.USAGE
    assert "is no address of a server" in failure.problem["detail"]
    assert len(failure.problem["detail"]) < 300
    assert checked_address(advice) == advice == write


@pytest.mark.parametrize("given", ["ftp://ann:secret@h", "http://ann:secret@h:99999", "ann:secret@h"])
def test_an_address_that_is_none_shows_no_password(given: str) -> None:
    """What stands before the host is not repeated, whatever else is wrong."""
    with pytest.raises(CommandFailure) as caught:
        checked_address(given)
    assert "secret" not in str(caught.value.document())


@pytest.mark.parametrize("given", ["http://ann:secret@h:1/v1", "http://h:1/?token=secret", "http://h:1#secret"])
def test_what_an_address_should_not_hold_is_not_shown(given: str) -> None:
    """A password in an address is refused and not repeated; the address without it is."""
    with pytest.raises(CommandFailure) as caught:
        checked_address(given)
    assert "secret" not in str(caught.value.document())
    assert "Write --url http://h:1;" in caught.value.advice
