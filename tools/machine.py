"""What a page of figures says of the machine that they come from, in one line."""

from __future__ import annotations

from benchmarks.machine import machine_facts


def machine_line() -> str:
    """Return date, processor, cores, operating system and Python; no names of hosts, people or paths."""
    facts = machine_facts()
    return f"{facts['date']}: {facts['processor']}, {facts['cores']} cores, {facts['system']}, {facts['python']}"
