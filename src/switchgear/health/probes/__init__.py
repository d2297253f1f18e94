"""Real probes that need the standard library only. Each is a value: made once, checked at birth, called to ask.

bounding       bounds of an answer: within seconds, and in threads that hang without harm
tcp            a port that accepts, and says what it should
unix_socket    an API socket that answers one line of JSON
http           a path that answers with the right status
sql            a database that answers a statement, through your own driver; SQLite files
disk           a folder with room that takes a write
memory         memory that is left, to the machine and to this control group
function       whatever else: a function of yours that says yes

Those for Redis and NATS are in the adapters, beside the clients that they need. What may not live here: when a probe
runs, and anything that deletes, changes or reads what belongs to somebody else.
"""

from switchgear.health.probes.disk import DiskProbe
from switchgear.health.probes.function import FunctionProbe
from switchgear.health.probes.http import HttpProbe
from switchgear.health.probes.memory import MemoryProbe
from switchgear.health.probes.sql import SqlProbe
from switchgear.health.probes.tcp import TcpProbe
from switchgear.health.probes.unix_socket import UnixSocketProbe

__all__ = ["DiskProbe", "FunctionProbe", "HttpProbe", "MemoryProbe", "SqlProbe", "TcpProbe", "UnixSocketProbe"]
