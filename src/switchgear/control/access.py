"""Verified tokens: from a bearer token to the `Principal` that every use case takes. RFC 7519, RFC 8725.

A token is verified with exactly one key of a trusted issuer, by the one algorithm of that key. Nothing in
the token chooses a key's source or its algorithm. This module fetches nothing: keys are given to it. It does
not decide what a principal may do; the use cases do. It makes no tokens; `development_issuer` does, for
development only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid, OptionError
from switchgear.core.scope import Principal, checked_name

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

ALGORITHMS = ("EdDSA", "ES256", "RS256")
"""Every algorithm that can be allowed. Shared secrets and ``none`` are not among them."""
TOKEN_LIMIT_BYTES = 8192
"""The longest token that is looked at."""
TOKENS_REMEMBERED_MAX = 1024
"""How many verified tokens one verifier remembers; beyond that it forgets the one not used for longest."""
LEEWAY_MAX = 300.0
"""The largest difference between clocks that can be forgiven, in seconds."""

_RSA_BITS_MIN = 2048
_FORBIDDEN_HEADERS = ("jku", "x5u", "jwk", "x5c", "crit")
_TYPES = ("JWT", "AT+JWT")
_REQUIRED_CLAIMS = ("iss", "aud", "exp")
_BEGINNINGS = ("nbf", "iat")
_SEPARATORS = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the only algorithm it verifies.

    `algorithm` is EdDSA (Ed25519), ES256 (P-256) or RS256 (RSA of at least 2048 bits). Raises `OptionError`
    when the key is not of that kind.
    """

    algorithm: str
    key: PublicKey

    def __post_init__(self) -> None:
        """Check that the key fits its algorithm."""
        fits = _KEY_FITS.get(self.algorithm)
        if fits is None or not fits(self.key):
            raise OptionError(f"a {type(self.key).__name__} of this size cannot verify {self.algorithm!r}")


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer by the exact text of its ``iss`` claim, and its keys by key id.

    A token without a key id is accepted only where the issuer has one key.
    """

    name: str
    keys: Mapping[str, VerificationKey]

    def __post_init__(self) -> None:
        """Check that there is a name and a key, and freeze the keys."""
        if not self.name or not self.keys:
            raise OptionError("a trusted issuer needs a name and at least one key")
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    def key_for(self, key_id: object) -> VerificationKey | None:
        """Return the key that `key_id` names, the only key when it is None, else None."""
        if key_id is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(key_id) if isinstance(key_id, str) else None


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims carry tenant, accounts, actor and permissions."""

    tenant: str = "custom:tenant_id"
    accounts: str = "custom:accounts"
    actor: str = "sub"
    permissions: str = "scope"

    def __post_init__(self) -> None:
        """Check that no name is empty."""
        if not all((self.tenant, self.accounts, self.actor, self.permissions)):
            raise OptionError("every claim needs a name")


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a token says that was verified. Times are seconds since the epoch; `begins` has them by claim."""

    expires: float
    begins: Mapping[str, float]
    principal: Principal


class TokenVerifier:
    """Turns a bearer token into a `Principal`, or refuses it. Safe for concurrent use.

    What was verified once is remembered with the whole token it was read from, `TOKENS_REMEMBERED_MAX` of them: keys,
    audience and names of a verifier never change, so the same text always says the same. Times are looked at on
    every use. What was refused is not remembered.
    """

    __slots__ = ("_algorithms", "_audience", "_clock", "_issuers", "_leeway", "_names", "_read_once")

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        *,
        audience: str,
        leeway: float = 30.0,
        algorithms: Sequence[str] = ALGORITHMS,
        names: ClaimNames | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Trust `issuers` for tokens meant for `audience`.

        `leeway` forgives that many seconds between clocks, 0 to 300. `algorithms` narrows `ALGORITHMS`.
        Raises `OptionError` when an option cannot work.
        """
        self._issuers = {issuer.name: issuer for issuer in issuers}
        if len(self._issuers) != len(issuers):
            raise OptionError("two trusted issuers have the same name")
        if not audience:
            raise OptionError("audience must name this service, as the issuer writes it into `aud`")
        if not 0 <= leeway <= LEEWAY_MAX:
            raise OptionError(f"leeway must be 0 to {LEEWAY_MAX:g} seconds, not {leeway!r}")
        if not algorithms or not set(algorithms) <= set(ALGORITHMS):
            raise OptionError(f"algorithms must be some of {', '.join(ALGORITHMS)}")
        self._audience = audience
        self._leeway = leeway
        self._algorithms = frozenset(algorithms)
        self._names = names or ClaimNames()
        self._clock = clock
        self._read_once = lru_cache(maxsize=TOKENS_REMEMBERED_MAX)(self._read)

    @property
    def remembered(self) -> int:
        """Return how many tokens are remembered, 0 to `TOKENS_REMEMBERED_MAX`."""
        return self._read_once.cache_info().currsize

    def verify(self, token: str) -> Principal:
        """Return whom `token` speaks for.

        Raises `Denied` (TENANT_UNAUTHENTICATED) for whatever is wrong with it; the message says what, and
        never repeats the token or a claim's value.
        """
        if len(token) > TOKEN_LIMIT_BYTES or not token.isascii():
            raise _refused(f"a token is ASCII text of at most {TOKEN_LIMIT_BYTES} bytes")
        verified = self._read_once(token)
        self._check_times(verified)
        return verified.principal

    def _read(self, token: str) -> _Verified:
        try:
            claims = self._claims(token)
        except jwt.PyJWTError as error:
            raise _refused(_explained(error)) from None
        except (ValueError, TypeError, RecursionError):
            raise _refused("the token cannot be read") from None
        begins = {name: _moment(claims, name) for name in _BEGINNINGS if name in claims}
        return _Verified(_moment(claims, "exp"), MappingProxyType(begins), self._principal(claims))

    def _claims(self, token: str) -> dict[str, Any]:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        self._check_header(unverified["header"])
        key = self._key(unverified["header"], unverified["payload"].get("iss"))
        verified: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=self._audience,
            options={
                "require": [*_REQUIRED_CLAIMS],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return verified

    def _check_header(self, header: Mapping[str, Any]) -> None:
        for name in _FORBIDDEN_HEADERS:
            if name in header:
                raise _refused(f"the token's header may not contain {name!r}")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.upper() not in _TYPES:
            raise _refused("the token's header names a type that is not an access token")
        if header.get("alg") not in self._algorithms:
            raise _refused(f"the token's algorithm is not one of {', '.join(sorted(self._algorithms))}")

    def _key(self, header: Mapping[str, Any], issuer_name: object) -> VerificationKey:
        issuer = self._issuers.get(issuer_name) if isinstance(issuer_name, str) else None
        if issuer is None:
            raise _refused("the token's issuer is not trusted here")
        key = issuer.key_for(header.get("kid"))
        if key is None or key.algorithm != header["alg"]:
            raise _refused("the token names a key that its issuer does not have")
        return key

    def _check_times(self, verified: _Verified) -> None:
        now = self._clock.time()
        if verified.expires + self._leeway <= now:
            raise _refused("the token has expired")
        for name, moment in verified.begins.items():
            if moment - self._leeway > now:
                raise _refused(f"the token is not valid yet ({name})")

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        names = self._names
        try:
            return Principal(
                tenant=checked_name("tenant", claims.get(names.tenant)),
                actor=checked_name("actor", claims.get(names.actor)),
                accounts=frozenset(checked_name("account", account) for account in _words(claims, names.accounts)),
                permissions=frozenset(_words(claims, names.permissions)),
            )
        except Invalid as error:
            raise _refused(f"a claim of the token is missing or malformed: {error.message}") from None


def _refused(reason: str) -> Denied:
    return Denied(reason, code=Code.TENANT_UNAUTHENTICATED, policy="token")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519 §2) in seconds since the epoch."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _refused(f"the claim {name!r} is not a time in seconds")
    return value


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return a claim that is a list of texts, or one text separated by commas or spaces; empty if missing."""
    value = claims.get(name, [])
    words = _SEPARATORS.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _refused(f"the claim {name!r} is neither a list of texts nor a text")
    return [word for word in words if word]


_EXPLANATIONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidSignatureError, "the token's signature does not verify"),
    (jwt.InvalidAudienceError, "the token is meant for another service (aud)"),
)


def _explained(error: jwt.PyJWTError) -> str:
    """Return the first matching row's words. PyJWT's own messages may quote the token, so they stay here."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token lacks the claim {error.claim!r}"
    return next((words for kind, words in _EXPLANATIONS if isinstance(error, kind)), "the token cannot be read")


def _fits_ed25519(key: PublicKey) -> bool:
    return isinstance(key, Ed25519PublicKey)


def _fits_p256(key: PublicKey) -> bool:
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)


def _fits_rsa(key: PublicKey) -> bool:
    return isinstance(key, RSAPublicKey) and key.key_size >= _RSA_BITS_MIN


_KEY_FITS: Mapping[str, Callable[[PublicKey], bool]] = MappingProxyType(
    {"EdDSA": _fits_ed25519, "ES256": _fits_p256, "RS256": _fits_rsa}
)
