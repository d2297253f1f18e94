"""What came back, read within bounds. A body that ends early or is too long leaves the status standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from switchgear.adapters.http_hints import announces_json

_HIDDEN = b"[hidden]"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, the headers that matter here, and the body; `problem` says why the body cannot be used."""

    status: int
    content_type: str = ""
    retry_after: str | None = None
    location: str | None = None
    body: bytes = b""
    problem: str = ""
    etag: str | None = None

    @property
    def announces_json(self) -> bool:
        """Whether the content type is JSON (RFC 8259) or builds on it (RFC 6839)."""
        return announces_json(self.content_type)


async def read_answer(response: httpx2.Response, bytes_max: int, secrets: Sequence[str]) -> Answer:
    """Read at most `bytes_max` bytes of the body, hiding `secrets` that the remote echoes.

    A body that breaks off, is longer, or is encoded although we asked for none, is reported in `problem`.
    """
    body, problem = await _read_body(response, bytes_max)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        body, problem = b"", problem or "the answer's body is compressed, which was not asked for"
    for secret in secrets:
        body = body.replace(secret.encode(), _HIDDEN)
    return Answer(
        response.status_code,
        response.headers.get("content-type", ""),
        response.headers.get("retry-after"),
        response.headers.get("location"),
        body,
        problem,
        response.headers.get("etag"),
    )


async def _read_body(response: httpx2.Response, bytes_max: int) -> tuple[bytes, str]:
    chunks: list[bytes] = []
    length = 0
    try:
        async for chunk in response.aiter_raw():
            length += len(chunk)
            if length > bytes_max:
                return b"", f"the answer's body is longer than {bytes_max} bytes"
            chunks.append(chunk)
    except httpx2.HTTPError as error:
        return b"", f"the answer broke off ({type(error).__name__})"
    return b"".join(chunks), ""
