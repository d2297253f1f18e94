"""The whole engine from one seed: simulated time, disk, network, people and crashes; then an oracle judges.

run         one seed from its beginning to the verdict; `campaign` many, in several processes
world       what outlives the engine: clock, disk, remote, clients; `life` one engine from start to crash
wall        the wall clock: how it leaps, and what across a start is granted to an engine that trusts it
machinery   an engine with its gates and keepers, put together as a gear puts them together
disk        the store as one life sees it; `remote` what the engine acts on; `catalogue` the tools
scenes      what clients, people and fate do, one file a capability
witness     what clients and people were told; `history` what the ledger says; `laws` compare the two
coverage    what happened in a run, so that one that tries nothing is seen

What may not live here: anything that only holds in a simulation. Whatever breaks a law is a defect of the engine, or
of the law.
"""

from switchgear.lab.simulation.campaign import Campaign, campaign
from switchgear.lab.simulation.coverage import NEVER, Coverage
from switchgear.lab.simulation.run import SeedReport, simulate

__all__ = ["NEVER", "Campaign", "Coverage", "SeedReport", "campaign", "simulate"]
