"""What the answers of an MCP server say: JSON-RPC codes and errors of the client, one table, a test for each row.

The question for each row is: would less traffic change the answer? "No such tool" comes from a server that works; an
internal error, a closed connection and no answer at all do not.
"""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.adapters.gate import FAILED, UNREACHED, WORKS, Row, missing, row_in

try:
    import anyio
    import mcp_types
    from mcp.shared.exceptions import MCPError
except ModuleNotFoundError as error:
    raise missing(error, (error.name or "").partition(".")[0], "mcp") from error

CODES: Mapping[int, Row] = {
    mcp_types.PARSE_ERROR: WORKS,
    mcp_types.INVALID_REQUEST: WORKS,
    mcp_types.METHOD_NOT_FOUND: WORKS,
    mcp_types.INVALID_PARAMS: WORKS,
    mcp_types.INTERNAL_ERROR: FAILED,
    mcp_types.CONNECTION_CLOSED: FAILED,
    mcp_types.REQUEST_TIMEOUT: FAILED,
    mcp_types.HEADER_MISMATCH: WORKS,
    mcp_types.MISSING_REQUIRED_CLIENT_CAPABILITY: WORKS,
    mcp_types.UNSUPPORTED_PROTOCOL_VERSION: WORKS,
    mcp_types.URL_ELICITATION_REQUIRED: WORKS,
}
"""JSON-RPC code → row."""

_SERVER_ERRORS = range(-32099, -31999)  # JSON-RPC 2.0, section 5.1: reserved for errors of the server

OUTCOMES: Mapping[type[Exception], Row] = {
    anyio.ClosedResourceError: UNREACHED,
    anyio.BrokenResourceError: FAILED,
    anyio.EndOfStream: FAILED,
}
"""Error of the transport → row, by the nearest parent class. An error that has none is a failure."""


def row_of(error: Exception) -> Row:
    """Return what `error` says. A code of an application is an answer, an unknown one of a server is a failure."""
    if not isinstance(error, MCPError):
        return row_in(OUTCOMES, error)
    known = CODES.get(error.code)
    if known is not None:
        return known
    return FAILED if error.code in _SERVER_ERRORS else WORKS
