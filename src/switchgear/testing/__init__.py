"""The public test kit: virtual time, a simulated event loop, a fake upstream, and conformance suites.

errors         how a simulation can fail
simulation     `SimulatedLoop`, `run_simulated`: an event loop in which time is virtual
script         the words of a fake upstream: `ok`, `fail`, `hang`, `outage`, …
upstream       `FakeUpstream`, which plays them, and remembers what reached it
exploring      `cancel_everywhere`, `drive_to_suspension`: cancellation at every await
leaks          `assert_idle`, `capacity_of`: what can be seen of a guard from outside
policies       `PolicyConformance`: what holds of every guard policy; its scenes are in `scenes`
fault_proxy    `FaultProxy`: stands before a real server and breaks connections as told, in real time
faulty_store   `FaultyStore`: a store whose appends are slow, lost, refused, and cut off by a crash, as told
storage        `StoreConformance`: what holds of every store; its scenes are in `storage_scenes`
frames         where a coroutine waits, in words
pytest_plugin  fixtures and a marker; found by pytest, never imported from here

What may not live here: anything that a lower room imports; in all but `pytest_plugin` any third-party import.
"""

from switchgear.core.clock import VirtualClock
from switchgear.testing.errors import OutsideSimulation, SimulatedDeadlock, SimulationError, StepsExhausted
from switchgear.testing.exploring import Cancellation, cancel_everywhere, drive_to_suspension
from switchgear.testing.fault_proxy import FaultProxy, FaultProxyThread
from switchgear.testing.fault_proxy_counts import ProxyCounts
from switchgear.testing.fault_proxy_words import (
    ConnectionFaults,
    PerDirection,
    bandwidth,
    blackhole,
    corrupt,
    cut,
    cut_mid_answer,
    half_open,
    latency,
    partition,
    refuse,
    reset,
    slow_close,
)
from switchgear.testing.faulty_store import Crash, Fate, FaultyStore, StoreFaults
from switchgear.testing.leaks import GuardLike, assert_idle, capacity_of
from switchgear.testing.policies import PolicyConformance
from switchgear.testing.script import (
    Behaviour,
    TooManyRequests,
    at,
    capacity,
    fail,
    hang,
    ok,
    outage,
    rate_limited,
    slow,
    stall,
)
from switchgear.testing.simulation import SimulatedClock, SimulatedLoop, run_simulated
from switchgear.testing.storage import StoreConformance
from switchgear.testing.upstream import FakeUpstream, Received

__all__ = [
    "Behaviour",
    "Cancellation",
    "ConnectionFaults",
    "Crash",
    "FakeUpstream",
    "Fate",
    "FaultProxy",
    "FaultProxyThread",
    "FaultyStore",
    "GuardLike",
    "OutsideSimulation",
    "PerDirection",
    "PolicyConformance",
    "ProxyCounts",
    "Received",
    "SimulatedClock",
    "SimulatedDeadlock",
    "SimulatedLoop",
    "SimulationError",
    "StepsExhausted",
    "StoreConformance",
    "StoreFaults",
    "TooManyRequests",
    "VirtualClock",
    "assert_idle",
    "at",
    "bandwidth",
    "blackhole",
    "cancel_everywhere",
    "capacity",
    "capacity_of",
    "corrupt",
    "cut",
    "cut_mid_answer",
    "drive_to_suspension",
    "fail",
    "half_open",
    "hang",
    "latency",
    "ok",
    "outage",
    "partition",
    "rate_limited",
    "refuse",
    "reset",
    "run_simulated",
    "slow",
    "slow_close",
    "stall",
]
