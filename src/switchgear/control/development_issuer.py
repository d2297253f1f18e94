"""An issuer of tokens for development: one Ed25519 key in a file beside the store.

Whoever can read the file can be any tenant. So it is for ``--dev`` on a loopback address only;
`require_loopback` keeps that. Production tokens come from an identity provider and never from here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from switchgear.control.access import ClaimNames, TokenVerifier, TrustedIssuer, VerificationKey
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.core.scope import checked_name

ISSUER = "switchgear:development"
AUDIENCE = "switchgear"
TOKEN_SECONDS_MAX = 30 * 86_400.0
"""The longest life of a development token, in seconds."""

_KEY_LIMIT_BYTES = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def require_loopback(host: str) -> None:
    """Raise `OptionError` unless `host` is ``localhost`` or a loopback address.

    Other names are refused without being looked up: what they mean can change.
    """
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise OptionError(
            f"development tokens are accepted on loopback only, not on {host!r}; "
            "bind 127.0.0.1, or run without --dev behind an identity provider"
        )


def _publish(written: Path, path: Path) -> None:
    """Give a written file its name at once: another process finds no key there, or the whole key.

    Raises `FileExistsError` when there is one. A file system without hard links cannot tell of two that do this at the
    same moment: there the key of the last one stays.
    """
    try:
        os.link(written, path)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError(path) from None
        written.replace(path)


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, durably."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class DevelopmentIssuer:
    """Signs development tokens with the key in one file. The key never leaves the file and this object."""

    __slots__ = ("_clock", "_key", "_key_id")

    def __init__(self, key: Ed25519PrivateKey, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Sign with `key`. Prefer `create`, `load` or `open`."""
        self._key = key
        self._key_id = hashlib.sha256(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]
        self._clock = clock

    @staticmethod
    def path_beside(store: Path) -> Path:
        """Return where the key of the store at `store` belongs: its own path and ``.development-key``."""
        return store.with_name(f"{store.name}.development-key")

    @classmethod
    def create(cls, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> DevelopmentIssuer:
        """Make a key and write it to a new file that only its owner can read.

        Raises `FileExistsError` rather than replace one, and `OSError` when the file cannot be written.
        """
        key = Ed25519PrivateKey.generate()
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            _write_private(unfinished, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            _publish(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return cls(key, clock=clock)

    @classmethod
    def load(cls, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> DevelopmentIssuer:
        """Read the key in `path`.

        Raises `FileNotFoundError` when there is none, and `OptionError` when others may read the file or it
        holds no Ed25519 key.
        """
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise OptionError(f"{path}: others may read this key; run `chmod 600` on it, or delete it")
            content = file.read(_KEY_LIMIT_BYTES)
        try:
            key = load_pem_private_key(content, password=None)
        except (ValueError, TypeError):
            raise OptionError(f"{path}: this is not a key; delete it and a new one is made") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise OptionError(f"{path}: this is not an Ed25519 key; delete it and a new one is made")
        return cls(key, clock=clock)

    @classmethod
    def open(cls, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> DevelopmentIssuer:
        """Load the key in `path`, or create it when there is none yet. Raises as `load` and `create` do."""
        try:
            return cls.load(path, clock=clock)
        except FileNotFoundError:
            pass
        try:
            return cls.create(path, clock=clock)
        except FileExistsError:  # another process was faster
            return cls.load(path, clock=clock)

    def issue(
        self,
        *,
        tenant: str,
        accounts: Iterable[str],
        actor: str,
        scope: Iterable[str],
        seconds: float = 3600.0,
        audience: str = AUDIENCE,
        names: ClaimNames | None = None,
    ) -> str:
        """Return a signed token for `actor` of `tenant`, good for `seconds` from now.

        `accounts` are those it may act for and `scope` its permissions. `seconds` is above 0 and at most 30
        days. Raises `Invalid` for a name that cannot be one, and `OptionError` for the seconds.
        """
        if not 0 < seconds <= TOKEN_SECONDS_MAX:
            raise OptionError(f"a development token lives above 0 and at most {TOKEN_SECONDS_MAX:g} seconds")
        claim = names or ClaimNames()
        now = int(self._clock.time())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + max(1, round(seconds)),
            claim.tenant: checked_name("tenant", tenant),
            claim.actor: checked_name("actor", actor),
            claim.accounts: [checked_name("account", account) for account in accounts],
            claim.permissions: " ".join(scope),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})

    def trusted(self) -> TrustedIssuer:
        """Return the public side: what a verifier needs to accept these tokens."""
        return TrustedIssuer(ISSUER, {self._key_id: VerificationKey("EdDSA", self._key.public_key())})

    def verifier(
        self, *, audience: str = AUDIENCE, leeway: float = 30.0, names: ClaimNames | None = None
    ) -> TokenVerifier:
        """Return a verifier that trusts this issuer only. Raises `OptionError` as `TokenVerifier` does."""
        return TokenVerifier(
            [self.trusted()],
            audience=audience,
            leeway=leeway,
            algorithms=("EdDSA",),
            names=names,
            clock=self._clock,
        )
