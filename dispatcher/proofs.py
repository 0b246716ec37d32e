"""What becomes known of attempts that were given up on: an unknown outcome ends with a proof (I1).

Proof is a late result, a later life of the server that has ended what this one left, a new
registration of the same life without an attempt of which no start was ever heard, or the accounting
of the engine that had started the server. Pure.
"""

from typing import Final

from msgspec import structs

from shotline.common.actions import Cause
from shotline.common.messages import Register
from shotline.common.pilots import is_of
from shotline.common.records import Transition
from shotline.dispatcher.core import Core
from shotline.dispatcher.shots import Shot

NOT_RUNNING: Final = (
    "nothing of it runs any more, but whether it had come to its end before is not known"
)


def prove(core: Core, shot: Shot, live: Transition, what: str) -> None:
    """Journal that the outcome of a settled attempt is known by now; its state stays."""
    known = {
        "time": core.wall,
        "outcome_unknown": False,
        "reason": f"{live.reason}; {what}",
    }
    core.put(shot, structs.replace(live, **known))


def take_proofs(core: Core, shot: Shot, register: Register) -> None:
    """Take what a registration proves about a shot's attempts of unknown outcome."""
    held = {item.attempt for item in register.holding}
    for live in shot.unknown():
        if live.server != register.server or live.url is not None:
            continue  # what runs in an mdsip server does not end with ours
        if live.incarnation in register.ended:
            prove(core, shot, live, f"a later life of {live.server} has seen to it: {NOT_RUNNING}")
        elif (
            live.incarnation == register.incarnation
            and live.epoch is not None
            and live.epoch < register.epoch
            and live.cause is Cause.SERVER_LOST
            and live.started_at is None
            and shot.attempt_of(live) not in held
            and shot.attempt_of(live) not in register.answered
        ):
            prove(core, shot, live, f"{live.server} is back without it: it was never started")


def take_end(core: Core, shot: Shot, pilot: str) -> None:
    """Take the proof that a pilot has ended, with all that it had started (P3).

    An engine that has started it once more tells of its last life: the one before may run on.
    """
    for live in shot.unknown():
        if live.url is not None or not is_of(live.incarnation, pilot):
            continue
        last = core.last_life(live.server or "")
        if last == live.incarnation or not is_of(last, pilot):
            prove(core, shot, live, f"{core.gone[pilot]}: {NOT_RUNNING}")
