"""What happens in a simulated world: scenes with weights, one file a capability. `SCENES` is the table.

clients     submit, repeat, cancel, wait
people      approve, resolve, requeue, discard
switches    trip and release kill switches
replaying   verify, resume, re-execute
boxes       time-boxes: open, revert early, extend
together    sagas: submit, cancel, resume
fate        crash, stop, restart; disk and clock
outages     what destructive tools rest on goes down and comes back; people force what is held for it
several     engines that share a store stand still, at any moment or at an append, and wake up late
quiet       the end: everything works, people do their work, and all comes to rest
delays      the very end: what waits for its time begins when that has come

A scene plays one small part by chance and returns; a refusal on the way is raised, and is an answer.
"""

from switchgear.lab.simulation.scenes.table import SCENES, SCENES_OF_SEVERAL, Scene

__all__ = ["SCENES", "SCENES_OF_SEVERAL", "Scene"]
