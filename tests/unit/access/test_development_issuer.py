"""The development issuer: its file, its tokens, and where it may be used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from switchgear.control.development_issuer import DevelopmentIssuer, require_loopback
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import Denied, Invalid, OptionError


def issue(issuer: DevelopmentIssuer, *, tenant: str = "acme", seconds: float = 60.0) -> str:
    """Return a token of `issuer`."""
    return issuer.issue(tenant=tenant, accounts=["main"], actor="dev", scope=["intents:read"], seconds=seconds)


def test_a_token_of_the_stored_key_is_accepted(tmp_path: Path) -> None:
    """`token` and `up --dev` are two processes: what one signs with the file, the other accepts."""
    path = DevelopmentIssuer.path_beside(tmp_path / "gear.db")
    token = issue(DevelopmentIssuer.create(path))
    principal = DevelopmentIssuer.load(path).verifier().verify(token)
    assert (principal.tenant, principal.actor) == ("acme", "dev")
    assert principal.accounts == {"main"}
    assert principal.permissions == {"intents:read"}


def test_the_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Whoever reads the key can be any tenant, so nobody else may."""
    path = tmp_path / "key"
    DevelopmentIssuer.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(OptionError, match="chmod 600"):
        DevelopmentIssuer.load(path)


def test_create_never_replaces_a_key(tmp_path: Path) -> None:
    """Replacing the key would silently void every token."""
    path = tmp_path / "key"
    DevelopmentIssuer.create(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        DevelopmentIssuer.create(path)
    token = issue(DevelopmentIssuer.open(path))
    assert path.read_bytes() == before
    assert DevelopmentIssuer.open(path).verifier().verify(token).tenant == "acme"


def test_a_file_system_without_hard_links_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is there whole all the same, none is replaced, and nothing else is left behind."""

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "key"
    token = issue(DevelopmentIssuer.create(path))
    assert DevelopmentIssuer.load(path).verifier().verify(token).tenant == "acme"
    with pytest.raises(FileExistsError):
        DevelopmentIssuer.create(path)
    assert list(tmp_path.iterdir()) == [path]


def test_open_creates_the_key_when_there_is_none(tmp_path: Path) -> None:
    """The first start makes the key; later ones use it."""
    path = tmp_path / "key"
    token = issue(DevelopmentIssuer.open(path))
    assert DevelopmentIssuer.load(path).verifier().verify(token).tenant == "acme"


def test_a_key_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server and a command that start at once: neither finds a key that is being written; both have the same."""
    path, link = tmp_path / "key", os.link
    first: list[DevelopmentIssuer] = []

    def faster(source: Path, target: Path) -> None:
        assert not path.exists()
        monkeypatch.setattr(os, "link", link)
        first.append(DevelopmentIssuer.open(path))
        link(source, target)

    monkeypatch.setattr(os, "link", faster)
    second = DevelopmentIssuer.open(path)
    assert second.trusted().keys.keys() == first[0].trusted().keys.keys()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    """The message names the file and what to do about it."""
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OptionError, match="key"):
        DevelopmentIssuer.load(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only Ed25519 is signed with here."""
    path = tmp_path / "key"
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)
    with pytest.raises(OptionError, match="Ed25519"):
        DevelopmentIssuer.load(path)


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    """The caller says where it looked; nothing is made up."""
    with pytest.raises(FileNotFoundError):
        DevelopmentIssuer.load(tmp_path / "none")


def test_tokens_expire(tmp_path: Path) -> None:
    """Every token ends: after its seconds and the leeway it is refused."""
    clock = VirtualClock()
    issuer = DevelopmentIssuer.create(tmp_path / "key", clock=clock)
    verifier, token = issuer.verifier(leeway=5.0), issue(issuer, seconds=60.0)
    clock.advance(64.0)
    assert verifier.verify(token).tenant == "acme"
    clock.advance(1.0)
    with pytest.raises(Denied, match="expired"):
        verifier.verify(token)


def test_another_gear_does_not_accept_the_token(tmp_path: Path) -> None:
    """A key belongs to one store."""
    token = issue(DevelopmentIssuer.create(tmp_path / "one"))
    with pytest.raises(Denied):
        DevelopmentIssuer.create(tmp_path / "two").verifier().verify(token)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 31 * 86_400.0])
def test_the_life_of_a_token_is_bounded(tmp_path: Path, seconds: float) -> None:
    """No development token lives for ever."""
    with pytest.raises(OptionError):
        issue(DevelopmentIssuer.create(tmp_path / "key"), seconds=seconds)


@pytest.mark.parametrize("tenant", ["", "@platform", "a b", "a\n", "x" * 129])
def test_names_are_checked_when_issued(tmp_path: Path, tenant: str) -> None:
    """A token that could never be accepted is not made."""
    with pytest.raises(Invalid):
        issue(DevelopmentIssuer.create(tmp_path / "key"), tenant=tenant)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_allowed(host: str) -> None:
    """SEMANTICS §13: development tokens on loopback."""
    require_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104 - what must be refused
        "::",
        "",
        "10.0.0.1",
        "example.org",
        "localhost.example.org",
        "127.0.0.1.nip.io",
        "2130706433",
    ],
)
def test_anything_else_is_not(host: str) -> None:
    """SEMANTICS §13: and nowhere else; names are not looked up, since their meaning can change."""
    with pytest.raises(OptionError, match="loopback"):
        require_loopback(host)
