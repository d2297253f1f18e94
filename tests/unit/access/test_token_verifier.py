"""Tokens: what is accepted, and every kind that is not. Nothing here needs a server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from switchgear.control.access import (
    ALGORITHMS,
    TOKEN_LIMIT_BYTES,
    ClaimNames,
    PublicKey,
    TokenVerifier,
    TrustedIssuer,
    VerificationKey,
)
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, OptionError
from switchgear.core.scope import PLATFORM_TENANT

ISSUER = "https://issuer.example"
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

KEY = ed25519.Ed25519PrivateKey.generate()
OTHER_KEY = ed25519.Ed25519PrivateKey.generate()
P256_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLOCK = VirtualClock()
NOW = CLOCK.time()
KEYS = {
    "ed": VerificationKey("EdDSA", KEY.public_key()),
    "p256": VerificationKey("ES256", P256_KEY.public_key()),
    "rsa": VerificationKey("RS256", RSA_KEY.public_key()),
}
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "switchgear",
    "exp": NOW + 600,
    "sub": "service:orders",
    "custom:tenant_id": "acme",
    "custom:accounts": ["main", "backup"],
    "scope": "intents:submit intents:read",
}


def verifier(
    leeway: float = 30.0, algorithms: Sequence[str] = ALGORITHMS, names: ClaimNames | None = None
) -> TokenVerifier:
    """Return a verifier that trusts one issuer with three keys."""
    return TokenVerifier(
        [TrustedIssuer(ISSUER, KEYS)],
        audience="switchgear",
        clock=CLOCK,
        leeway=leeway,
        algorithms=algorithms,
        names=names,
    )


def signed(
    claims: Mapping[str, Any],
    headers: Mapping[str, Any] | None = None,
    key: PrivateKey | str = KEY,
    algorithm: str = "EdDSA",
) -> str:
    """Return `claims` signed by the Ed25519 key, unless told otherwise."""
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers={"kid": "ed", **(headers or {})})


def changed(**claims: object) -> dict[str, Any]:
    """Return good claims with some changed; None removes one."""
    return {name: value for name, value in {**GOOD, **claims}.items() if value is not None}


def raw(header: object, claims: object, signature: bytes = b"x" * 64) -> str:
    """Return a token put together by hand, as an attacker would."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def assert_refused(token: str, says: str = "") -> None:
    """Assert that the token is refused in the one way in which tokens are."""
    with pytest.raises(Denied) as refusal:
        verifier().verify(token)
    assert refusal.value.code is Code.TENANT_UNAUTHENTICATED
    assert says in refusal.value.message
    assert len(token) < 10 or token not in refusal.value.message


@pytest.mark.parametrize(
    ("kid", "key", "algorithm"),
    [("ed", KEY, "EdDSA"), ("p256", P256_KEY, "ES256"), ("rsa", RSA_KEY, "RS256")],
)
def test_every_allowed_algorithm_is_verified(kid: str, key: PrivateKey, algorithm: str) -> None:
    """Law 9: tenant, accounts, actor and permissions come from a verified token of any allowed algorithm."""
    principal = verifier().verify(signed(GOOD, {"kid": kid}, key=key, algorithm=algorithm))
    assert (principal.tenant, principal.actor) == ("acme", "service:orders")
    assert principal.accounts == {"main", "backup"}
    assert principal.permissions == {"intents:submit", "intents:read"}


@pytest.mark.parametrize("accounts", ["main backup", "main,backup", " main , backup ", ["main", "backup"]])
def test_accounts_are_a_list_or_a_separated_text(accounts: object) -> None:
    """SEMANTICS §13: identity providers carry lists as text, so both forms are read."""
    principal = verifier().verify(signed(changed(**{"custom:accounts": accounts})))
    assert principal.accounts == {"main", "backup"}


def test_missing_accounts_and_scope_grant_nothing() -> None:
    """What the token does not grant is not granted."""
    principal = verifier().verify(signed(changed(**{"custom:accounts": None, "scope": None})))
    assert (principal.accounts, principal.permissions) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        (changed(exp=None), "exp"),
        (changed(exp=NOW - 31), "expired"),
        (changed(exp="soon"), "exp"),
        (changed(exp=True), "exp"),
        (changed(nbf=NOW + 31), "not valid yet"),
        (changed(nbf=[]), "nbf"),
        (changed(iat=NOW + 31), "not valid yet"),
        (changed(aud=None), "aud"),
        (changed(aud="another"), "another service"),
        (changed(aud=["another", "third"]), "another service"),
        (changed(iss=None), "issuer"),
        (changed(iss="https://evil.example"), "issuer"),
        (changed(sub=None), "actor"),
        (changed(sub=""), "actor"),
        (changed(**{"custom:tenant_id": None}), "tenant"),
        (changed(**{"custom:tenant_id": ""}), "tenant"),
        (changed(**{"custom:tenant_id": ["acme"]}), "tenant"),
        (changed(**{"custom:tenant_id": "acme\n"}), "tenant"),
        (changed(**{"custom:tenant_id": PLATFORM_TENANT}), "tenant"),
        (changed(**{"custom:accounts": {"main": 1}}), "custom:accounts"),
        (changed(**{"custom:accounts": ["main", 7]}), "custom:accounts"),
        (changed(**{"custom:accounts": "main/../../x y\x00"}), "account"),
        (changed(scope=7), "scope"),
    ],
)
def test_wrong_claims_are_refused(claims: dict[str, Any], says: str) -> None:
    """SEMANTICS §13: issuer, audience, expiry, not-before and tenant are checked; each has its words."""
    assert_refused(signed(claims), says)


@pytest.mark.parametrize(
    "headers",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "OKP"}},
        {"x5c": ["…"]},
        {"crit": ["exp"], "exp": 1},
        {"kid": "unknown"},
        {"kid": "p256"},
        {"typ": "logout+jwt"},
    ],
)
def test_headers_never_choose_a_key(headers: dict[str, Any]) -> None:
    """RFC 8725 §3.10: nothing in a token chooses where its key comes from."""
    assert_refused(signed(GOOD, headers))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_shared_secrets_are_refused(algorithm: str) -> None:
    """RFC 8725 §2.1: a public key is never taken for a shared secret."""
    assert_refused(signed(GOOD, key="s" * 64, algorithm=algorithm), "algorithm")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 7, ["EdDSA"]])
def test_unsigned_tokens_are_refused(algorithm: object) -> None:
    """RFC 8725 §2.1: ``none`` is no algorithm, however it is spelled."""
    assert_refused(raw({"alg": algorithm, "kid": "ed"}, GOOD))
    assert_refused(raw({"alg": algorithm, "kid": "ed"}, GOOD, b""))


def test_a_token_signed_by_another_key_is_refused() -> None:
    """A signature counts only by the issuer's own key."""
    assert_refused(signed(GOOD, key=OTHER_KEY), "signature")


def test_a_changed_claim_breaks_the_signature() -> None:
    """A tenant cannot be edited into a signed token."""
    head, _, signature = signed(GOOD).split(".")
    claims = base64.urlsafe_b64encode(json.dumps(changed(**{"custom:tenant_id": "other"})).encode())
    assert_refused(f"{head}.{claims.rstrip(b'=').decode()}.{signature}", "signature")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "…",
        "\udcff",
        "x" * (TOKEN_LIMIT_BYTES + 1),
        raw([], GOOD),
        raw({"alg": "EdDSA", "kid": "ed"}, []),
        raw({"alg": "EdDSA", "kid": 7}, GOOD),
        raw({"alg": "EdDSA", "kid": "ed"}, {**GOOD, "iss": ["x"]}),
        raw({"alg": "EdDSA", "typ": 7}, GOOD),
        base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.e30",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    """Malformed, oversized and hostile texts get the refusal of a bad token, never another error."""
    assert_refused(token)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}\.[\w-]{0,80}\.[\w-]{0,80}", fullmatch=True))
def test_no_text_does_anything_but_be_refused(token: str) -> None:
    """Property: whatever stands in the header, the only outcome is the refusal."""
    with pytest.raises(Denied):
        verifier().verify(token)


def test_leeway_forgives_a_slow_clock() -> None:
    """Leeway moves both ends by its seconds and no more."""
    assert verifier(leeway=30.0).verify(signed(changed(exp=NOW - 29, nbf=NOW + 29))).tenant == "acme"
    with pytest.raises(Denied):
        verifier(leeway=0.0).verify(signed(changed(exp=NOW)))


def test_the_allow_list_can_be_narrowed() -> None:
    """An algorithm that is not allowed is refused even where the issuer has a key for it."""
    with pytest.raises(Denied):
        verifier(algorithms=["ES256"]).verify(signed(GOOD))


def test_claim_names_are_configurable() -> None:
    """DESIGN: names of claims are configurable, since identity providers differ."""
    names = ClaimNames(tenant="org", accounts="units", actor="client_id", permissions="scp")
    claims = changed(org="acme", units="main", client_id="svc", scp=["a", "b"])
    principal = verifier(names=names).verify(signed(claims))
    assert (principal.tenant, principal.actor) == ("acme", "svc")
    assert principal.permissions == {"a", "b"}


def test_a_missing_key_id_is_enough_only_for_a_single_key() -> None:
    """Without a key id there is no guessing among several keys."""
    token = jwt.encode(GOOD, KEY, algorithm="EdDSA")
    single = TokenVerifier([TrustedIssuer(ISSUER, {"ed": KEYS["ed"]})], audience="switchgear", clock=CLOCK)
    assert single.verify(token).tenant == "acme"
    assert_refused(token, "key")


@pytest.mark.parametrize(
    "options",
    [
        {"audience": ""},
        {"leeway": -1.0},
        {"leeway": 301.0},
        {"leeway": float("nan")},
        {"algorithms": []},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any]) -> None:
    """House rule 8: options are checked when given, not when first used."""
    with pytest.raises(OptionError):
        TokenVerifier([TrustedIssuer(ISSUER, KEYS)], **{"audience": "switchgear", **options})


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()),  # noqa: S505 - weak on purpose
        ("ES256", ec.generate_private_key(ec.SECP384R1()).public_key()),
        ("EdDSA", RSA_KEY.public_key()),
        ("RS256", KEY.public_key()),
        ("HS256", KEY.public_key()),
    ],
)
def test_a_key_verifies_one_algorithm_only(algorithm: str, key: PublicKey) -> None:
    """RFC 8725 §3.1: each key is used with exactly one algorithm, and weak keys with none."""
    with pytest.raises(OptionError):
        VerificationKey(algorithm, key)


def test_issuers_need_names_of_their_own() -> None:
    """Two issuers of one name would let one sign for the other."""
    issuer = TrustedIssuer(ISSUER, KEYS)
    with pytest.raises(OptionError):
        TokenVerifier([issuer, issuer], audience="switchgear")
    with pytest.raises(OptionError):
        TrustedIssuer("", KEYS)
    with pytest.raises(OptionError):
        TrustedIssuer(ISSUER, {})
    with pytest.raises(OptionError):
        ClaimNames(tenant="")
