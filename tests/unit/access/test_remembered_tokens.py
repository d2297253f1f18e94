"""Tokens that a verifier remembers: what may be saved is the work, never a check of time or of a single byte."""

from __future__ import annotations

import itertools
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from switchgear.control.access import TOKENS_REMEMBERED_MAX, TokenVerifier, TrustedIssuer, VerificationKey
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import Denied

ISSUER = "https://issuer.example"
KEY = ed25519.Ed25519PrivateKey.generate()
OTHER_KEY = ed25519.Ed25519PrivateKey.generate()


def verifier(clock: VirtualClock, key: ed25519.Ed25519PrivateKey = KEY, audience: str = "switchgear") -> TokenVerifier:
    """Return a new verifier that trusts one key and forgives 30 seconds."""
    issuer = TrustedIssuer(ISSUER, {"one": VerificationKey("EdDSA", key.public_key())})
    return TokenVerifier([issuer], audience=audience, clock=clock)


def signed(clock: VirtualClock, **claims: Any) -> str:
    """Return a token that is good for ten minutes, unless `claims` say otherwise."""
    good = {"iss": ISSUER, "aud": "switchgear", "exp": clock.time() + 600, "sub": "orders", "custom:tenant_id": "acme"}
    return jwt.encode({**good, **claims}, KEY, algorithm="EdDSA", headers={"kid": "one"})


def test_a_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verified token says is remembered, so a caller costs one signature and not one for each request."""
    clock = VirtualClock()
    trusted, token = verifier(clock), signed(clock)
    first = trusted.verify(token)
    monkeypatch.setattr(jwt, "decode_complete", None)
    assert trusted.verify(token) == first
    assert trusted.remembered == 1


def test_a_remembered_token_still_expires() -> None:
    """Law 9: a token is worth nothing from the moment it expires, however often it was accepted before."""
    clock = VirtualClock()
    trusted, token = verifier(clock), signed(clock)
    trusted.verify(token)
    clock.advance(629.9)
    trusted.verify(token)
    clock.advance(0.1)
    for _ in range(2):
        with pytest.raises(Denied, match="expired"):
            trusted.verify(token)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_that_was_too_early_is_looked_at_again(claim: str) -> None:
    """A token that begins later is refused until then and accepted from then on, although its text was seen before."""
    clock = VirtualClock()
    trusted, token = verifier(clock), signed(clock, **{claim: clock.time() + 40})
    for _ in range(2):
        with pytest.raises(Denied, match=f"not valid yet \\({claim}\\)"):
            trusted.verify(token)
    clock.advance(10)
    assert trusted.verify(token).tenant == "acme"


def test_every_single_byte_counts() -> None:
    """Law 9: a remembered token helps no other one: each that differs in one byte is refused as if it were new."""
    clock = VirtualClock()
    trusted, token = verifier(clock), signed(clock)
    trusted.verify(token)
    for at, other in itertools.product(range(0, len(token) - 1, 7), "Aq"):
        if token[at] != other:
            with pytest.raises(Denied):
                trusted.verify(token[:at] + other + token[at + 1 :])
    assert trusted.remembered == 1


def test_two_tenants_are_two_tokens() -> None:
    """Law 9: each token speaks for its own tenant, also when both are remembered."""
    clock = VirtualClock()
    trusted = verifier(clock)
    tokens = {name: signed(clock, **{"custom:tenant_id": name}) for name in ("acme", "rival")}
    for _ in range(2):
        assert {trusted.verify(token).tenant: token for token in tokens.values()} == tokens


def test_what_is_refused_is_not_remembered() -> None:
    """Tokens that nobody signed take no memory, and none of the places of those that are good."""
    clock = VirtualClock()
    trusted = verifier(clock, OTHER_KEY)
    for _ in range(3):
        with pytest.raises(Denied, match="signature"):
            trusted.verify(signed(clock))
    assert trusted.remembered == 0


def test_a_new_verifier_remembers_nothing() -> None:
    """A verifier with other keys or for another service begins empty: what one accepted says nothing to another."""
    clock = VirtualClock()
    token = signed(clock)
    verifier(clock).verify(token)
    for other in (verifier(clock, OTHER_KEY), verifier(clock, audience="another")):
        with pytest.raises(Denied):
            other.verify(token)


def test_law_1_the_memory_is_bounded() -> None:
    """Law 1: however many callers there are, a named number of tokens is remembered, and all are still accepted."""
    clock = VirtualClock()
    trusted = verifier(clock)
    tokens = [signed(clock, jti=str(number)) for number in range(TOKENS_REMEMBERED_MAX + 8)]
    for token in (*tokens, tokens[0]):
        assert trusted.verify(token).tenant == "acme"
    assert trusted.remembered == TOKENS_REMEMBERED_MAX
