"""A SCIM 2.0 identity provider for a trial: scim2-server, in memory, on loopback, with the users ada and bob.

    python -m examples.identity_containment.provider               serves http://127.0.0.1:8765/v2 until Ctrl-C
    python -m examples.identity_containment.provider --port 0      at any free port; the first line names it

Needs the package scim2-server. It asks for no token, so it is for a trial only.
"""

import argparse
import sys
import threading
from collections.abc import Sequence
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from scim2_server.utils import load_default_provider

USERS = ("ada", "bob")
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


class Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(words: Sequence[str]) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A SCIM provider for a trial.")
    parser.add_argument("--port", type=int, default=8765, help="0 takes any free one")
    port = parser.parse_args(words).port
    application = WSGIApplication(InMemoryStorage(), load_default_provider())
    with make_server("127.0.0.1", port, application, handler_class=Quiet) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}/v2"
        add_users(url)
        print(url, flush=True)
        try:
            serving.join()
        except KeyboardInterrupt:
            server.shutdown()
    return 0


def add_users(url: str) -> None:
    """Add the users of the example, each of them active."""
    with httpx2.Client(base_url=url) as administrator:
        for name in USERS:
            user = {"schemas": [USER_SCHEMA], "userName": name, "active": True}
            administrator.post("/Users", json=user).raise_for_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
