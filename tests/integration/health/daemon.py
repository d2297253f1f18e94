"""A small API daemon on a unix socket, a process of its own: a line of JSON in, a line of JSON out.

Run with the path of its socket. It answers ``{"do": "status"}`` with how many sessions it holds.
"""

from __future__ import annotations

import json
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    """Answers one request."""

    def handle(self) -> None:
        """Read a line, answer a line."""
        request = json.loads(self.rfile.readline())
        well = request == {"do": "status"}
        self.wfile.write(json.dumps({"well": well, "sessions": 3}).encode() + b"\n")


if __name__ == "__main__":
    with socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler) as server:
        server.serve_forever()
