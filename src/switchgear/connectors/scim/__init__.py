"""Identities over SCIM 2.0 (RFC 7643, RFC 7644): look a user up, deactivate, restore, end its sessions.

specification  what is declared of a SCIM server, and the operations that its tools may carry out
messages       requests as SCIM words them: filters, patches, queries
states         what a server says of a user, and whether two such words are the same
exchange       one request from end to end, with its entity tag
containment    deactivate and restore: read, compare, change under ``If-Match``
lookup         find a user, changing nothing
connector      which tool carries out which operation

Statuses, egress, credentials and bounds are those of HTTP tools: the parts of `switchgear.connectors.http`.
What may not live here: retry, the time at which a user is restored, what doubt means. The engine decides those.
"""

from switchgear.connectors.scim.connector import ScimConnector
from switchgear.connectors.scim.specification import OPERATIONS, ScimConnection, ScimOperation

__all__ = ["OPERATIONS", "ScimConnection", "ScimConnector", "ScimOperation"]
