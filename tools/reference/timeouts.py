"""The page of built-in timeouts, from the central table of operations."""

from __future__ import annotations

from switchgear.core.operations import OPERATIONS
from tools.reference.markdown import GENERATED, page, table

_HEAD = f"""# Timeouts

{GENERATED}
Every wait of Switchgear itself is bounded by one row of this table. A breach has a code that says where it happened.
Change the seconds in `switchgear.toml`:

```toml
[timeouts]
"http.connect" = 3.0
```

Operations of your own are bounded by `Timeout`, `deadline` and the tool's `timeout`. Their breach is
`DEADLINE_EXCEEDED` and carries the name of the operation. Rows for NATS and key-value stores belong to adapters that
a later release brings.
"""


def timeouts_page() -> str:
    """Return docs/reference/timeouts.md."""
    rows = [
        (
            f"`{operation.name}`",
            f"{operation.seconds:g}",
            f"[`{operation.code}`](codes.md#{str(operation.code).lower()})",
        )
        for operation in OPERATIONS.values()
    ]
    return page([_HEAD, *table(("Operation", "Seconds", "Code"), rows)])
