"""The journal's records: everything that ever happened to a shot, one class each.

A shot's state is the fold of its records; the dispatcher decides by making records and applying
them, and recovers by applying the stored ones. The same JSON bytes go to the journal, to Redis'
projections and to observers, so what is shown is what is stored.

Times are wall clock seconds since 1970 and only for display; durations are measured where the
action ran.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Self

import msgspec

from shotline.common.actions import ActionState, Category, Cause, Status
from shotline.common.base import Json, Struct, tag_of, to_json
from shotline.common.dangers import NamedDanger
from shotline.common.fleet.facts import LoggedLine
from shotline.common.messages import Outcome, Via
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.ranges import Code, Count, Duration, SequenceNumber, ShotNumber, Small, Wall

NO_RESULT: Final = msgspec.Raw(b"null")


class ShotKey(NamedTuple):
    """A shot's name, shown as `TEST/42`."""

    tree: str
    shot: int

    def __str__(self) -> str:
        return f"{self.tree}/{self.shot}"


class _Recorded(Struct, tag_field="type"):
    """The base of all records."""

    @property
    def type(self) -> str:
        """Its name in the journal."""
        return tag_of(self)


class PulseCreated(_Recorded, tag="pulse_created"):
    """The pulse was made from the model, or made again."""

    time: Wall
    replaced: bool = False
    who: str = ""


class TableBuilt(_Recorded, tag="table_built"):
    """All nodes were read and classified; `reset` clears what was known of the actions."""

    time: Wall
    actions: tuple[ActionNode, ...]
    phases: tuple[Phase, ...] = ()
    options: DispatchOptions
    reset: bool = False
    sources: tuple[SourceMark, ...] = ()  # as they stood when they were read
    variables: dict[str, Json] = {}  # of the shot's tasks


class SourceSeen(_Recorded, tag="source_seen"):
    """Somebody looked whether the tables' sources have changed since they were built.

    Recorded where that is another answer than the last one.
    """

    time: Wall
    changed: str = ""  # what has, in words; empty: nothing (any more)


class NodeRead(_Recorded, tag="node_read"):
    """One node was read again, for a redispatch."""

    time: Wall
    node: ActionNode


class RunKind(StrEnum):
    """What was asked for."""

    PHASE = "phase"
    SEQUENCE = "sequence"  # a range of sequence numbers
    SINGLE = "single"  # a redispatch outside of an open run


class RunOpened(_Recorded, tag="run_opened"):
    """A run began. `paths` are its actions in the table's order; it resets them."""

    time: Wall
    run: Small
    kind: RunKind
    phase: str
    first: SequenceNumber | None = None
    last: SequenceNumber | None = None
    paths: tuple[str, ...] = ()
    command: str = ""  # the command's id
    who: str = ""  # has asked for it


class Transition(_Recorded, tag="transition"):
    """An action changed. The record holds the action's whole live state after the change.

    It is also the value stored under the action's path in the shot's hash. `attempt` 0 means never
    tried. A pending action has no cause; a cause means settled.
    """

    time: Wall
    path: str
    state: ActionState
    run: Small | None = None
    attempt: Small = 0
    status: Status | None = None
    cause: Cause | None = None
    reason: str = ""
    code: Code | None = None  # the MDSplus status or the exit code, where there is one
    outcome_unknown: bool = False  # it may have run, or may still be running
    aborting: bool = False
    server: str | None = None
    url: str | None = None  # mdsip server that runs it, or may still run it; None: cleared, or none
    incarnation: str | None = None
    epoch: Small | None = None
    dispatched_at: Wall | None = None
    started_at: Wall | None = None
    ended_at: Wall | None = None
    duration_s: Duration | None = None


class RunOutcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    ABORTED = "aborted"


class Counts(Struct):
    """Actions by what is shown of them."""

    pending: Count = 0
    in_progress: Count = 0
    success: Count = 0
    failed: Count = 0  # red: Failure, ABORTED; and unreadable while on
    server_off: Count = 0
    not_dispatched: Count = 0  # settled without having been dispatched

    @classmethod
    def of(cls, number: Mapping[Category, int]) -> Self:
        """Return the counts of so many actions of each category."""
        return cls(**{category.value: count for category, count in number.items()})


class RunEnded(_Recorded, tag="run_ended"):
    """The run is over; journalled exactly once, after its last action has settled."""

    time: Wall
    run: Small
    outcome: RunOutcome
    counts: Counts
    duration_s: Duration | None = None
    reason: str = ""


class RunPutOnHold(_Recorded, tag="run_held"):
    """The run starts nothing more until `resume` or `abort`.

    `coming`: it does when what it has begun with has ended; then the same is recorded without.
    `aborted` are the actions that were ended for it.
    """

    time: Wall
    run: Small
    reason: str
    coming: bool = False
    aborted: tuple[str, ...] = ()


class RunResumed(_Recorded, tag="run_resumed"):
    """An operator let the run go on."""

    time: Wall
    run: Small
    who: str = ""


class Redispatched(_Recorded, tag="redispatched"):
    """Somebody asked for one action again: its next attempt is exempt from sequences."""

    time: Wall
    run: Small
    path: str
    command: str = ""  # the command's id
    who: str = ""


class RunAborting(_Recorded, tag="run_aborting"):
    """An abort of the run was accepted: what runs is being ended, nothing more starts."""

    time: Wall
    run: Small
    reason: str


class Mark(_Recorded, tag="mark"):
    """The dispatcher was alive with an open run at this time."""

    time: Wall


class LateResult(_Recorded, tag="late_result"):
    """A result of an attempt that is not the current one, or whose action was settled already.

    `proof`: an mdsip server's answer to an attempt that was ended here; it has ended there, too.
    """

    time: Wall
    path: str
    attempt: Small
    server: str
    status: Status | None = None
    reason: str = ""
    code: Code | None = None
    started_at: Wall | None = None
    ended_at: Wall | None = None
    duration_s: Duration | None = None
    proof: bool = False


class EventOutcome(StrEnum):
    """What became of a completion event."""

    INTENDED = "intended"  # journalled before it is raised
    RAISED = "raised"
    FAILED = "failed"
    PERHAPS_NOT_RAISED = "perhaps_not_raised"  # a dispatcher ended in between


class EventRaised(_Recorded, tag="event_raised"):
    """A completion event was, or is about to be, raised."""

    time: Wall
    path: str
    attempt: Small
    event: str
    outcome: EventOutcome
    reason: str = ""

    @property
    def trouble(self) -> str:
        """Why nobody may have heard of it, in words; "" when it was raised, or may be soon."""
        match self.outcome:
            case EventOutcome.FAILED:
                return f"event {self.event} was not raised: {self.reason or 'nobody says why'}"
            case EventOutcome.PERHAPS_NOT_RAISED:
                return f"event {self.event} was perhaps not raised: the dispatcher ended meanwhile"
            case _:
                return ""


class CheckReset(_Recorded, tag="check_reset"):
    """`check --reset`: the failures of essential actions so far were seen."""

    time: Wall
    remaining: tuple[str, ...] = ()  # not seen yet; only where lost history is written anew


class NoteWritten(_Recorded, tag="note_written"):
    """Somebody has written a note on a shot, or on one of its actions.

    `note` numbers the shot's notes; a later record of the same number takes the earlier one's
    place. Of one that was removed it stays known who wrote it and who removed it.
    """

    time: Wall
    note: Small
    path: str = ""  # of the action; empty: on the shot as a whole
    text: str = ""
    by: str
    first_at: Wall | None = None  # when and by whom it was written first, where this is not the
    first_by: str = ""  # first text
    removed: bool = False


class KeptReply(Struct):
    """What a command was answered with; the fields are those of `Reply`."""

    outcome: Outcome
    message: str
    notices: tuple[str, ...] = ()
    unknown: bool = False
    dangers: tuple[NamedDanger, ...] = ()
    result: msgspec.Raw = msgspec.field(default_factory=lambda: NO_RESULT)


class CommandDone(_Recorded, tag="command_done"):
    """A command's final reply, kept with its effect so that a repeat gets the same."""

    time: Wall
    command: str
    reply: KeptReply | str  # JSON of the reply in a journal of Shotline 0.1


class UnknownResult(_Recorded, tag="unknown_result"):
    """A result of an attempt that no journal knows; kept so that nothing is lost."""

    time: Wall
    tree: str
    shot: ShotNumber
    path: str
    attempt: Small
    server: str
    status: Status | None = None
    reason: str = ""


class ServerSeen(_Recorded, tag="server_seen"):
    """What is known of a server, and what it was told to do: its value in the servers' hash."""

    time: Wall
    server: str
    liveness: str
    host: str = ""
    pid: Small = 0
    slots: Small = 0
    incarnation: str = ""
    epoch: Small = 0
    reason: str = ""
    stopping: bool = False  # server_stop: it is to end when its work is done (D17)
    restarting: bool = False  # server_restart of its class: it is to start anew in its turn (D17)
    last_words: tuple[LoggedLine, ...] = ()  # the end of its log, when it is lost


class Audited(_Recorded, tag="audited"):
    """Something that was asked for and changes something, or a login: a line of the audit.

    `who` gave it, as is known by `via`; `program` is the operating system's user and host of the
    program that sent it, as that says. `key` and `address` are what the broker knows of it.
    """

    id: str  # its place in the audit: milliseconds since 1970, and a number
    time: Wall
    who: str
    via: Via = Via.PROGRAM
    program: str = ""
    key: str = ""  # the name of the key that was proven
    address: str = ""  # network address
    browser: str = ""  # address of the browser, as the monitor says
    verb: str
    tree: str | None = None
    shot: ShotNumber | None = None
    arguments: str = ""  # JSON of what else was said
    outcome: Outcome  # accepted: it has begun, and a further line follows
    message: str = ""
    duration_s: Duration | None = None  # until it was answered
    request: str = ""  # the command's id
    untold: Count = 0  # others before it that were so many that they are not told

    @property
    def place(self) -> tuple[int, int]:
        """Its id as one that can be compared."""
        return place_of(self.id)


def place_of(line: str) -> tuple[int, int]:
    """Return the id of a line of the audit as one that can be compared."""
    milliseconds, _, number = line.partition("-")
    return int(milliseconds), int(number)


ShotRecord = (
    PulseCreated
    | TableBuilt
    | SourceSeen
    | NodeRead
    | RunOpened
    | Transition
    | RunEnded
    | RunPutOnHold
    | RunResumed
    | RunAborting
    | Redispatched
    | Mark
    | LateResult
    | EventRaised
    | CheckReset
    | NoteWritten
)
GlobalRecord = CommandDone | UnknownResult | ServerSeen | Audited
Record = ShotRecord | GlobalRecord

_ONE: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_MANY: Final[msgspec.json.Decoder[tuple[Record, ...]]] = msgspec.json.Decoder(tuple[Record, ...])


def encode_record(record: Record) -> bytes:
    """Return a record as JSON."""
    return to_json(record)


def encode_records(records: Sequence[Record]) -> bytes:
    """Return records as a JSON array."""
    return b"[" + b",".join(map(to_json, records)) + b"]"


def decode_record(data: bytes | str) -> Record:
    """Return the record of one JSON object. Raise ValueError when it is none of ours."""
    return _ONE.decode(data)


def decode_records(data: bytes | str) -> tuple[Record, ...]:
    """Return the records of a JSON array. Raise ValueError when one is none of ours."""
    return _MANY.decode(data)


class Commit(NamedTuple):
    """What is journalled together, all or nothing: records of shots and of the whole system.

    The id in the journal is `term-number`; numbers of a term rise by one.
    """

    term: int
    number: int
    shots: dict[ShotKey, tuple[ShotRecord, ...]]
    system: tuple[GlobalRecord, ...] = ()
    outputs: tuple["StoredOutput", ...] = ()
    hosted: Mapping[str, tuple[Struct, ...]] = MappingProxyType({})  # by the stream's name


class StoredOutput(NamedTuple):
    """Output of one attempt on its way to the journal; `first` numbers the first line.

    A piece: wall time, stream (1 or 2, 0: our note), and one or more whole lines that came
    together, joined by line feeds. One piece is one element of the stored list.
    """

    tree: str
    shot: int
    path: str
    attempt: int
    first: int
    pieces: tuple[tuple[float, int, bytes], ...]
