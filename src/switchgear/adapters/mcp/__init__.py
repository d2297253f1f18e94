"""MCP client sessions under a guard: ``tools = GuardedSession(session, guard)``.

outcomes  JSON-RPC codes and errors of the client → what they say: the table
session   `GuardedSession`: the requests of a session, each a guarded call

What may not live here: a server, transports, and what a tool means (that is the gear's connector).
"""

from switchgear.adapters.mcp.outcomes import CODES, OUTCOMES
from switchgear.adapters.mcp.session import Classifier, GuardedSession, SessionOptions, ToolFailed

__all__ = ["CODES", "OUTCOMES", "Classifier", "GuardedSession", "SessionOptions", "ToolFailed"]
