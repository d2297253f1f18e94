"""Tools over HTTP that a configuration declares: no code, one attempt, no redirects, no cookies, no proxies.

specification  what is declared: connection, operation, outcomes
template       paths with ``{names}`` that arguments fill
request        one call made into one request
egress         the allow-list of hosts, checked down to the address connected to
answer         what came back, read within bounds
classify       status and body → what is known of the action
failures       errors of the client library → what is known of the action
retry_after    the remote's own wish to be left alone for a while
connector      one attempt from end to end

What may not live here: retry, knowledge of a certain remote, reading of the environment.
"""

from switchgear.connectors.http.connector import HttpConnector
from switchgear.connectors.http.specification import HttpConnection, HttpOperation, Outcomes

__all__ = ["HttpConnection", "HttpConnector", "HttpOperation", "Outcomes"]
