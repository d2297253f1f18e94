"""What the figures were measured on: facts without names of hosts, people or paths."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

_CPU_FACTS = Path("/proc/cpuinfo")


def machine_facts() -> dict[str, str]:
    """Return processor, cores, operating system, Python, date and load of the last minute."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%d"),
        "load before": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown",
    }


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    if _CPU_FACTS.is_file():
        for line in _CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
