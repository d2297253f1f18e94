"""REST: a thin translation of `control` into HTTP.

app         `create_app`: the routes, assembled
operations  the table of everything offered; routes, OpenAPI and the reference page come from it
operation   the shape of one row
submitting, intents, tools, breakers, budgets, ledger    one subject a module: its handlers and, beside them, its rows
health      the checks of this process, which need no token
self_test   what has to be refused here before this process is ready
embedding   a gear inside an application of your own, and its health as routes of it
edge        trace, concurrency bound, errors as problems, access log
json_body, headers, queries, trace    reading a request, strictly
problems    errors as application/problem+json
traffic, limits, races, waits    counting, bounding, stopping, waiting
openapi, reference          the documents
server, protocol            `run_server`: listening, signals, stopping in order
supervision                 what the service manager is told

What may not live here: decisions. Whether something may happen is asked of `control`, and the tenant comes
from the verified token only.
"""

from switchgear.surfaces.rest.app import create_app
from switchgear.surfaces.rest.embedding import add_health_routes, gear_in, gear_lifespan, gear_of
from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.openapi import openapi_document
from switchgear.surfaces.rest.reference import rest_reference
from switchgear.surfaces.rest.server import limits_of, run_server, serve
from switchgear.surfaces.rest.traffic import Traffic

__all__ = [
    "RestLimits",
    "Traffic",
    "add_health_routes",
    "create_app",
    "gear_in",
    "gear_lifespan",
    "gear_of",
    "limits_of",
    "openapi_document",
    "rest_reference",
    "run_server",
    "serve",
]
