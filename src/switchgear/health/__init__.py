"""What is known of the dependencies of a process, and what may be destroyed on the strength of it.

evidence     one observation of a dependency: polarity, source, moment
standing     where a dependency stands, in words that every surface shows
findings     what came of asking a dependency: confirmed by a witness, or only inferred
obstacles    what can stand in the way of a destructive operation, and the one wording of each
inventory    every destructive operation of the process, and what became of it
permit       what a destructive block holds, and asks again after every wait
gate         the destructive gate: decides, from memory, whether something may be destroyed now
destructive  the decorator of functions that destroy something
results      results that would run later, and are refused
probe        what a probe is, and what its errors say
probes       real probes that need the standard library only

What may not live here: any third-party import, and knowledge of a client library; probes that need a client are in
its adapter.
"""

from switchgear.health.destructive import Destructive, destructive
from switchgear.health.findings import Confirmed, Finding, Inference, Inferred, Witness
from switchgear.health.gate import DestructiveGate, installed_gate
from switchgear.health.inventory import OPERATIONS_MAX, Blocked, Inventory, Operation, OperationRecord, operations
from switchgear.health.permit import Permit
from switchgear.health.standing import Health, Standing, Standings

__all__ = [
    "OPERATIONS_MAX",
    "Blocked",
    "Confirmed",
    "Destructive",
    "DestructiveGate",
    "Finding",
    "Health",
    "Inference",
    "Inferred",
    "Inventory",
    "Operation",
    "OperationRecord",
    "Permit",
    "Standing",
    "Standings",
    "Witness",
    "destructive",
    "installed_gate",
    "operations",
]
