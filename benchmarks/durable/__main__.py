"""One engine in this process: `python -m benchmarks.durable ENGINE FOLDER BURST SECONDS IN_FLIGHT` prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.durable.driver import Workload, measure
from benchmarks.durable.runner import ENGINES


def main(arguments: list[str]) -> None:
    """Measure and print."""
    name, folder, burst, seconds, in_flight = arguments
    engine = import_module(f"benchmarks.durable.{ENGINES[name].module}")
    run = getattr(engine, "run", asyncio.run)
    workload = Workload(burst=int(burst), seconds=float(seconds), in_flight=int(in_flight))
    figures = run(measure(name, engine.opening, Path(folder), workload))
    print(json.dumps(figures.as_dict()))


if __name__ == "__main__":
    main(sys.argv[1:])
