"""The ranges of all numbers that cross a process boundary. Pure; a test finds a field without one.

What is outside is no message at all (I7). A range is as far as a number can have come about here:
what is beyond was never counted, measured or chosen by one of us.
"""

from typing import Annotated, Final

from msgspec import Meta

WHOLE_MAX: Final = 2**53 - 1
"""The largest whole number that every language reads as it was written, also as JSON."""

NUMBER_MAX: Final = 2**31 - 1

TERM_MAX: Final = 2**31 - 1
"""One start of a dispatcher each second for 68 years."""

TERM_STEP_MAX: Final = 100_000
"""Starts of dispatchers that one who was away may have missed: one each second for a day."""

Term = Annotated[int, Meta(ge=0, le=TERM_MAX)]
Count = Annotated[int, Meta(ge=0, le=WHOLE_MAX)]
"""How many there are or were: dispatches of an epoch, events, lines, actions."""

Small = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
"""What a machine or a person numbers: processes, slots, attempts, runs, epochs, protocols."""

ShotNumber = Annotated[int, Meta(ge=-1, le=NUMBER_MAX)]
SequenceNumber = Annotated[int, Meta(ge=-NUMBER_MAX, le=NUMBER_MAX)]
"""A sequence number, or a phase's; those that are not positive are never dispatched."""

Code = Annotated[int, Meta(ge=-WHOLE_MAX, le=WHOLE_MAX)]
"""An MDSplus status or an exit code."""

StreamNumber = Annotated[int, Meta(ge=0, le=2)]
"""Of output: 1 standard output, 2 standard error, 0 a note of ours."""

Clock = Annotated[float, Meta(ge=-1e12, le=1e12)]
"""Monotonic seconds of some process; their zero means nothing."""

Wall = Annotated[float, Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""Seconds since 1970, of the years 1 to 9999."""

DURATION_MAX: Final = 1e9
Duration = Annotated[float, Meta(ge=0, le=DURATION_MAX)]
"""Seconds, up to 31 years."""

Change = Annotated[float, Meta(ge=-DURATION_MAX, le=DURATION_MAX)]
"""Seconds by which something takes longer; negative: shorter."""

TimeLimit = Annotated[float, Meta(gt=0, le=DURATION_MAX)]
"""Seconds after which something is ended."""


Fraction = Annotated[float, Meta(ge=0, le=1)]


def held(number: int) -> tuple[int, str]:
    """Return a number within `WHOLE_MAX`, and in words that it was not; "" when it was."""
    nearest = max(-WHOLE_MAX, min(int(number), WHOLE_MAX))
    if nearest == number:
        return nearest, ""
    return nearest, f"a number of {int(number).bit_length()} bits, shown as {nearest}"


def can_have_come_about(term: int, known: int) -> bool:
    """Return whether somebody can have seen this term while another one is known (DESIGN §5)."""
    return term <= min(known + TERM_STEP_MAX, TERM_MAX)
