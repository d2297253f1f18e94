"""Take a user out of service for some seconds, and give it back, whatever happens to this program meanwhile.

    python -m examples.identity_containment.contain ada --incident incident-42 --seconds 60

The name of the incident is the idempotency key. Started again with the same words, after a crash or on purpose, it
contains nobody a second time: it finds what is on record and goes on waiting. What is overdue by then was reverted
before anything else.

Ends with 0 when the user is back, 7 when a person has to decide, 1 when the user could not be contained.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchgear import Switchgear
from switchgear.assembly.acting import Acting, IntentHandle
from switchgear.control.time_box_views import TimeBoxView

CONFIGURATION = Path(__file__).with_name("switchgear.toml")
ANSWER_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.05
BACK, FAILED, UP_TO_A_PERSON = 0, 1, 7


@dataclass(frozen=True, slots=True)
class Incident:
    """Whom to contain, for how many seconds, under which name."""

    name: str
    user_name: str
    seconds: float


async def contain(acme: Acting, incident: Incident) -> IntentHandle | None:
    """Take the user out of service and return the action, None when there is no such user.

    The lookup comes first so that it is known what the user was, also if the answer to the change gets lost. It has a
    key as well: a second start gets the answer of the first, and so asks for the very same change.
    """
    lookup = await acme.submit("idp.lookup_user", {"user_name": incident.user_name}, key=f"{incident.name}-lookup")
    found = (await lookup.result(timeout=ANSWER_SECONDS_MAX)).value
    if not found or not found["found"]:
        return None
    arguments = {"user_id": found["user_id"], "prior": found["now"]}
    action = await acme.submit("idp.deactivate", arguments, key=incident.name, revert_after=incident.seconds)
    await action.result(timeout=ANSWER_SECONDS_MAX)
    return action


async def wait_for_the_end(acme: Acting, action: IntentHandle) -> TimeBoxView:
    """Return the time-box once the user is back, or a person has to decide."""
    while True:
        box = await acme.time_boxes.show(action.id)
        if box.state not in ("open", "reverting"):
            return box
        await asyncio.sleep(LOOK_SECONDS)


async def run(configuration: Path, incident: Incident) -> int:
    """Contain one user, wait for the end, and say what happened."""
    async with Switchgear.open(configuration) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="service:response")
        action = await contain(acme, incident)
        if action is None or action.state in ("failed", "dead_lettered", "denied"):
            print(f"{incident.user_name} could not be contained", "" if action is None else action.view.message)
            return FAILED
        print(f"{incident.user_name} is out of service, {action.state}: {action.id}", flush=True)
        box = await wait_for_the_end(acme, action)
        print(f"{incident.user_name}: {box.state} {box.code or ''} {box.message}".rstrip(), flush=True)
        return BACK if box.state == "reverted" else UP_TO_A_PERSON


def main(words: Sequence[str]) -> int:
    """Read the words of the command line and run."""
    parser = argparse.ArgumentParser(description="Take a user out of service for a while.")
    parser.add_argument("user_name")
    parser.add_argument("--incident", required=True, help="the idempotency key: the same for every repeat")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--config", type=Path, default=CONFIGURATION)
    said = parser.parse_args(words)
    return asyncio.run(run(said.config, Incident(said.incident, said.user_name, said.seconds)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
