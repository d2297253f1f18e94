"""TLS of the HTTP connector: it connects to a checked address, and still verifies the name."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http import HttpConnection, HttpConnector, HttpOperation
from switchgear.core.codes import Code
from switchgear.execution.contract import Refused, Result, Succeeded
from tests.unit.connectors.calling import call_of

pytestmark = pytest.mark.integration


def _self_signed(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a certificate for `name` and its key, and return where they are."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Return the port of a TLS server that is `crm.test`, whose certificate this process trusts."""
    certificate, key = _self_signed("crm.test", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def _execute(host: str, port: int) -> Result:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    connection = HttpConnection(name="crm", base_url=f"https://{host}:{port}", private_addresses=True)
    connector = HttpConnector(connection, Credentials({}, Path()), resolve=resolve)
    connector.register("tool", HttpOperation(method="GET", path="/"))
    result = await connector.execute(call_of())
    await connector.close()
    return result


async def test_the_name_is_verified_although_the_address_is_connected_to(port: int) -> None:
    """The certificate must be for the declared name, not for the address."""
    assert await _execute("crm.test", port) == Succeeded("hi")


async def test_a_certificate_for_another_name_is_not_accepted(port: int) -> None:
    """A server that is somebody else gets no request."""
    result = await _execute("other.test", port)
    assert isinstance(result, Refused)
    assert result.code is Code.DEPENDENCY_FAILED
    assert "certificate" in result.message.lower()
