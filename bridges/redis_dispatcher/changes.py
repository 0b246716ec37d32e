"""What the mirror asks its shell to do: plain values, no Redis here. Pure.

Keys and fields are those of the MDSplus Redis dispatcher; MARKERS and `outputs_key` are ours, and
hold what a bridge that was restarted must know.
"""

from typing import Final

from shotline.bridges.redis_dispatcher.translation import end_phase
from shotline.common.base import Value
from shotline.common.records import ShotKey

MARKERS: Final = "SHOTLINE_BRIDGE:ANNOUNCED"
"""Hash T:S → number of the last run whose END_PHASE was published, of each mirrored shot."""


def outputs_key(key: ShotKey) -> str:
    """Return the hash PATH → attempt whose output stands in ACTION_LOG."""
    return f"SHOTLINE_BRIDGE:OUTPUT:{shot_name(key)}"


def shot_name(key: ShotKey) -> str:
    """Return how the old keys name a shot."""
    return f"{key.tree}:{key.shot}"


def shot_key(name: str) -> ShotKey:
    """Return the shot that an old name means. Raise ValueError when it is none."""
    tree, _, shot = name.rpartition(":")
    return ShotKey(tree, int(shot))


def info_key(key: ShotKey, server_class: str) -> str:
    """Return the hash PATH → state of a shot's actions of one server class."""
    return f"ACTION_INFO:{shot_name(key)}:{server_class}"


def status_key(key: ShotKey) -> str:
    """Return the hash PATH → status."""
    return f"ACTION_STATUS:{shot_name(key)}"


def server_key(key: ShotKey) -> str:
    """Return the hash PATH → server class."""
    return f"ACTION_SERVER_INFO:{shot_name(key)}"


def phase_key(key: ShotKey) -> str:
    """Return the hash PATH → phase."""
    return f"ACTION_PHASE_INFO:{shot_name(key)}"


def log_key(key: ShotKey) -> str:
    """Return the hash PATH → output text."""
    return f"ACTION_LOG:{shot_name(key)}"


Fields = tuple[tuple[str, str], ...]


class SetFields(Value):
    """Set fields of a hash; the others stay."""

    key: str
    fields: Fields


class SetText(Value):
    """Set a key to a text."""

    key: str
    text: str


class AddOne(Value):
    """Count a field of a hash up."""

    key: str
    field: str


class ReplaceShot(Value):
    """Put these hashes in place of all that stood there about a shot's actions, at one moment."""

    key: ShotKey
    hashes: tuple[tuple[str, Fields], ...] = ()


class Publish(Value):
    """Publish a message on one of the old channels."""

    channel: str
    text: str


class StoreOutput(Value):
    """Put an attempt's output into ACTION_LOG."""

    key: ShotKey
    path: str
    attempt: int
    text: str


class EndPhase(Value):
    """Publish the end of a run, and note that it was published."""

    key: ShotKey
    run: int
    phase: str

    @property
    def text(self) -> str:
        """The message."""
        return end_phase(self.key.tree, self.key.shot, self.phase)


Written = SetFields | SetText | AddOne | ReplaceShot | Publish | StoreOutput | EndPhase
"""What is written to the old Redis."""


class FetchOutput(Value):
    """Read an attempt's output; put it into ACTION_LOG and, if `announce`, publish it.

    `ran`: when it began and ended, in seconds of wall clock; None: it never began.
    """

    key: ShotKey
    path: str
    attempt: int
    server_class: str
    status: str
    ran: tuple[float, float] | None
    announce: bool = True


class FillOutputs(Value):
    """Read those outputs of a shot that ACTION_LOG lacks."""

    key: ShotKey
    wanted: tuple[FetchOutput, ...]


class Refresh(Value):
    """Ask for the shot's whole state again."""

    key: ShotKey


class LookAgain(Value):
    """The shot was not found; ask once more in a while."""

    key: ShotKey


class Leave(Value):
    """Follow a shot no longer; what is mirrored of it stays."""

    key: ShotKey


Change = Written | FetchOutput | FillOutputs | Refresh | LookAgain | Leave
