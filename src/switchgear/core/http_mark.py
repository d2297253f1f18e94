"""What marks an answer over HTTP as one of Switchgear, for clients that must not take a stranger's yes for ours.

A header of its own name: proxies put their own name into `Server` and may make or drop the headers of a trace, but
hand on what they do not know. It tells which API answers, and not which release, since that is nobody's business.
"""

from __future__ import annotations

API_HEADER = "Switchgear-API"
"""The header that every answer of the server has."""
API_VERSION = "v1"
"""Its value: the API that answers, as it stands in the paths."""
