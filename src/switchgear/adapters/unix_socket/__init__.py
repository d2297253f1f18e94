"""Unix-domain sockets under a guard: ``UnixClient("/run/daemon.sock", guard).request({"do": "it"})``.

framing    where a message ends: lines or a length
exchange   one request and its answer, shared: table of errors, connecting, options
clients    the blocking and the asynchronous client

It needs the standard library only. What may not live here: a server, a protocol of any one daemon.
"""

from switchgear.adapters.unix_socket.clients import AsyncUnixClient, UnixClient
from switchgear.adapters.unix_socket.exchange import OUTCOMES, UnixOptions
from switchgear.adapters.unix_socket.framing import BrokenAnswer

__all__ = ["OUTCOMES", "AsyncUnixClient", "BrokenAnswer", "UnixClient", "UnixOptions"]
