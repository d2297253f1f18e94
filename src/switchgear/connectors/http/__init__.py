"""Tools over HTTP that a configuration declares: no code, one attempt, no redirects, no cookies, no proxies.

specification  what is declared: connection, operation, outcomes
template       paths with ``{names}`` that arguments fill
request        one call made into one request
egress         the allow-list of hosts, checked down to the address connected to
answer         what came back, read within bounds
classify       status and body → what is known of the action
failures       errors of the client library → what is known of the action
exchange       one request from end to end
connector      which tool is which request

Statuses, errors of the client and ``Retry-After`` have one table for all HTTP, which stands in `switchgear.adapters`.
What may not live here: retry, knowledge of a certain remote, reading of the environment.
"""

from switchgear.connectors.http.connector import HttpConnector
from switchgear.connectors.http.specification import ABOUT, HttpConnection, HttpOperation, Outcomes

__all__ = ["ABOUT", "HttpConnection", "HttpConnector", "HttpOperation", "Outcomes"]
