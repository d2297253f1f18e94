"""The composition root: reads configuration and environment, picks concrete parts, and gives them one face.

gear           `Switchgear`: a running gear
acting         the gear as one principal sees it in Python
handles        an intent or a saga as one principal last saw it
budgets        budgets as one principal sees them in Python
time_boxes     time-boxes as one principal sees them in Python
tools          the contracts of tools as one principal sees them in Python
self_test      what Python has to refuse before a gear is ready
machine        disk and memory of this machine
guards         the guards of dependencies
dependencies   what is known of the dependencies, by calls and probes
process        what a process does for an engine that has it to itself
transitions    transitions of breakers and dependencies on the platform's own chain
configuration/ one TOML file and the environment, checked and typed
templates/     what `init` writes

What may not live here: decisions. Only this room knows which concrete parts there are.
"""

from switchgear.assembly.acting import Acting
from switchgear.assembly.gear import Switchgear
from switchgear.assembly.handles import IntentHandle

__all__ = ["Acting", "IntentHandle", "Switchgear"]
