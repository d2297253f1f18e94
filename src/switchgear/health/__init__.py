"""What is known of the dependencies of a process, and what may be destroyed on the strength of it.

What is known
    evidence      one observation of a dependency: polarity, source, moment
    ageing        how old evidence gets, also while the machine sleeps
    standing      where a dependency stands, in words that every surface shows
    dependency    what a process relies on, and how much must be seen before it is believed: options
    transitions   the one table of how that changes; `line` has the rules of one source, `machine` of all together
    board         every dependency of a process, from any thread; `telling` is its events and log lines, `waiting` how
                  to wait for a state
Where it comes from
    traffic       what calls through a guard say
    probe         what a probe is, and what its errors say; `probes` has real ones that need the standard library only
    prober        carries probes out; `schedule` says when, `prober_lease` which of several processes
    watching      board, traffic, probes and pollers of a program, put together
What may be destroyed
    findings      what came of asking a dependency: confirmed by a witness, or only inferred
    obstacles     what can stand in the way of a destructive operation, and the one wording of each
    inventory     every destructive operation of the process, and what became of it
    permit        what a destructive block holds, and asks again after every wait
    gate          the destructive gate: decides, from memory, whether something may be destroyed now
    destructive   the decorator of functions that destroy something
    results       results that would run later, and are refused
What else follows
    modes         pollers that slow down, pause and come back; `pace` says how fast, `release` what held work may do
    report        the body of a health endpoint
`bell` is how loops wait.

What may not live here: any third-party import, and knowledge of a client library; probes that need a client are in
its adapter.
"""

from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.destructive import Destructive, destructive
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.findings import Confirmed, Finding, Inference, Inferred, Witness
from switchgear.health.gate import DestructiveGate, installed_gate
from switchgear.health.inventory import OPERATIONS_MAX, Blocked, Inventory, Operation, OperationRecord, operations
from switchgear.health.modes import Modes, Poller, PollerStatistics
from switchgear.health.permit import Permit
from switchgear.health.probe import Probe, ProbeFailed
from switchgear.health.prober import Prober
from switchgear.health.prober_lease import FileLease
from switchgear.health.report import Component, health_report
from switchgear.health.standing import Cause, Health, Standing, Standings
from switchgear.health.telling import HealthChanged
from switchgear.health.traffic import TrafficWatch
from switchgear.health.watching import HealthWatch

__all__ = [
    "OPERATIONS_MAX",
    "Blocked",
    "Cause",
    "Component",
    "Confirmed",
    "Dependency",
    "Destructive",
    "DestructiveGate",
    "Evidence",
    "FileLease",
    "Finding",
    "Health",
    "HealthBoard",
    "HealthChanged",
    "HealthWatch",
    "Inference",
    "Inferred",
    "Inventory",
    "Modes",
    "Operation",
    "OperationRecord",
    "Permit",
    "Polarity",
    "Poller",
    "PollerStatistics",
    "Probe",
    "ProbeFailed",
    "Prober",
    "Source",
    "Standing",
    "Standings",
    "TrafficWatch",
    "Witness",
    "destructive",
    "health_report",
    "installed_gate",
    "operations",
]
