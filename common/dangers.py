"""What somebody must insist on, by name, before a command is carried out. Pure.

A refusal says as data which dangers stand in its way (`Reply.dangers`); a command says which of
them were seen and are taken (`insist`). One is never insisted on by a word about another.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from shotline.common.base import Struct

LISTED_MAX: Final = 20


class Danger(StrEnum):
    """Why a command is not simply carried out. Programs are asked about the first four only."""

    PULSE_EXISTS = "pulse_exists"  # made again, the pulse that is there is lost
    OUTCOME_UNKNOWN = "outcome_unknown"  # an action may have run, or may still be running
    OFF = "off"  # the node is switched off
    SOURCE_CHANGED = "source_changed"  # the tables' source has changed since they were built
    SUCCEEDED = "succeeded"  # an action's last status is Success
    OLD_SHOT = "old_shot"  # another shot is the experiment's current one
    ENDS = "ends"  # a line typed into the page ends what runs, a server, or the dispatcher


INSISTING: Final = {
    Danger.PULSE_EXISTS: "--replace makes it again",
    Danger.OUTCOME_UNKNOWN: "look at the machines, then give --even-if-running",
    Danger.OFF: "--even-if-off dispatches it all the same",
    Danger.SOURCE_CHANGED: "--even-if-changed runs what the tables have",
    Danger.SUCCEEDED: "",
    Danger.OLD_SHOT: "",
    Danger.ENDS: "",
}
"""How the command line insists; the others are named to those who asked for it (`careful`)."""


class NamedDanger(Struct):
    """One danger that stands in a command's way: its code, and what it is in this case."""

    danger: Danger
    text: Annotated[str, Meta(max_length=8192)]


def words_of(dangers: Iterable[NamedDanger]) -> str:
    """Return the refusal in words, with how the command line insists."""
    parts = ("; ".join(filter(None, (one.text, INSISTING[one.danger]))) for one in dangers)
    return "; ".join(parts)


def listed(names: Sequence[str]) -> str:
    """Return names in one line, not too many of them."""
    more = len(names) - LISTED_MAX
    return ", ".join(names[:LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
