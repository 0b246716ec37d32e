"""The wire messages, one class each: who sends it to whom, and when, stands in its docstring.

`docs/protocol.md` is checked against these classes. Encoding is `codec`'s; sockets are
`transport`'s.

Wall clock times (`…_at`) are for display. `clock_s` fields are the broker's monotonic clock, the
one time base that all peers share (each knows its offset from the Pong of its last Ping).
"""

from enum import StrEnum
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta

from shotline.common.actions import AttemptId, Status
from shotline.common.base import Struct, tag_of
from shotline.common.dangers import NamedDanger
from shotline.common.fleet.facts import ServerFacts
from shotline.common.ranges import (
    DURATION_MAX,
    Clock,
    Code,
    Count,
    Duration,
    Fraction,
    ShotNumber,
    Small,
    StreamNumber,
    Term,
    TimeLimit,
    Wall,
)

PROTOCOL: int = 3
TAIL_BYTES_MAX: Final = 1024

Name = Annotated[str, Meta(min_length=1, max_length=256)]
COMMAND_BYTES_MAX: Final = 8 * 1024 * 1024
"""A batch of thousands of pulse plans goes in one command."""

Text = Annotated[str, Meta(max_length=65_536)]
RequestId = Annotated[str, Meta(min_length=8, max_length=64)]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class Message(Struct, tag_field="kind"):
    """The base of all wire messages: types are checked strictly, nothing is converted."""

    @property
    def kind(self) -> str:
        """Its name on the wire."""
        return tag_of(self)


class Hello(Message, tag="hello"):
    """Client, monitor → broker: first message of a connection."""

    name: Name
    protocol: Small = PROTOCOL
    version: str = ""


class Welcome(Message, tag="welcome"):
    """Broker → client, monitor: answer to Hello."""

    broker: Name  # this life of the broker
    clock_s: Clock
    events: str  # address of the event feed as the broker binds it
    term: Term | None = None  # of the dispatcher that is there
    role: str = "operator"


class Ping(Message, tag="ping"):
    """Client, monitor, dispatcher → broker: heartbeat; the broker answers with Pong."""

    sent_s: Clock  # sender's monotonic clock, sent back unchanged
    term: Term | None = None  # dispatcher only


class Pong(Message, tag="pong"):
    """Broker → whoever sent Ping or ServerBeat."""

    sent_s: Clock
    broker: Name
    clock_s: Clock
    term: Term | None = None  # of the dispatcher that is there, None without one
    at: Wall | None = None  # the broker's wall clock

    def round_trip_s(self, now: float) -> float | None:
        """Return how long ago its heartbeat was sent; None where that cannot be one of ours."""
        took_s = now - self.sent_s
        return took_s if 0.0 <= took_s <= DURATION_MAX else None


class Problem(Message, tag="problem"):
    """Broker, dispatcher, server → the sender of something that is not allowed."""

    text: Text


class HeldAs(StrEnum):
    """How a server holds an attempt."""

    QUEUED = "queued"  # taken, not started
    RUNNING = "running"
    FINISHED = "finished"  # ended, not yet answered by the dispatcher


class Held(Message, tag="held"):
    """An attempt that a server holds (part of Register)."""

    attempt: AttemptId
    held_as: HeldAs
    started_at: Wall | None = None


class Register(Message, tag="register"):
    """Server → broker → dispatcher: at start, and whenever something may have been lost.

    It opens a new epoch: dispatches of any other are dropped by the server. What it neither holds
    nor has told the end of it will never start; that is the proof. After it the server sends again
    every result and all output that the dispatcher has not answered.
    """

    server_class: Name
    server_id: Name
    incarnation: Name
    epoch: Small
    slots: Small
    host: str = ""
    pid: Small = 0
    version: str = ""
    protocol: Small = PROTOCOL
    started_at: Wall = 0.0
    term: Term = 0  # highest term that it has seen
    holding: tuple[Held, ...] = ()
    url: str | None = None  # mdsip server that its tasks run on, where it has one of its own
    ended: tuple[Name, ...] = ()  # earlier incarnations whose processes are proven gone
    address: str = ""  # network address that it comes from; the broker writes what it sees
    labels: tuple[Name, ...] = ()  # what the site calls it, so that actions can ask for it
    # The last that it has started, whose end was answered: what it does not hold has run all the
    # same where a journal has lost that.
    answered: tuple[AttemptId, ...] = ()

    @property
    def server(self) -> str:
        """The server's name, CLASS:ID."""
        return f"{self.server_class}:{self.server_id}"


class Registered(Message, tag="registered"):
    """Broker → server: accepted."""

    broker: Name
    clock_s: Clock
    epoch: Small


class RegistrationRefused(Message, tag="registration_refused"):
    """Broker → server: not accepted; `fatal` means that asking again will not help."""

    text: Text
    fatal: bool


class Probe(Message, tag="probe"):
    """Broker → server: another process asks for your name; any answer keeps it yours."""


class ProbeAnswer(Message, tag="probe_answer"):
    """Server → broker: I am alive."""


class RegisterAnew(Message, tag="register_anew"):
    """Broker, dispatcher → server: register again, in a new epoch."""

    why: Text


class ServerBeat(Message, tag="server_beat"):
    """Server → broker → dispatcher: heartbeat."""

    sent_s: Clock
    epoch: Small
    last_number: Count  # of the last dispatch received in this epoch
    busy: Small
    stuck: Small = 0
    broken: Small = 0  # slots that have no worker because none starts
    trouble: Text = ""  # why none starts
    unanswered: Small = 0  # results that wait for the dispatcher
    full: bool = False  # at its limit of unanswered results: takes no work
    round_trip_s: Duration | None = None  # of the beat before
    facts: ServerFacts | None = None  # now and then; None: as before
    leaving: Text = ""  # why it asks to be ended: it has served what it was started for


class Goodbye(Message, tag="goodbye"):
    """Server, client → broker: ends in order."""

    why: Text = ""


class Claim(Message, tag="claim"):
    """Dispatcher → broker: I dispatch, in this term."""

    term: Term
    name: Name
    host: str = ""
    pid: Small = 0
    protocol: Small = PROTOCOL
    incarnation: str = ""  # of this life of the dispatcher: it is the same one on a new connection


class ClaimAccepted(Message, tag="claim_accepted"):
    """Broker → dispatcher: all servers are asked to register anew; their Registers follow."""

    term: Term
    broker: Name
    clock_s: Clock


class ClaimRefused(Message, tag="claim_refused"):
    """Broker → dispatcher: a term as high as `highest` was seen; `live` when it is in use."""

    highest: Term
    live: bool = False


class SupersededNotice(Message, tag="superseded"):
    """Broker → dispatcher: a higher term has claimed; end."""

    term: Term


class LivenessState(StrEnum):
    """What the broker thinks of a server."""

    ALIVE = "alive"
    SUSPECT = "suspect"  # connection broken or a beat missed: no new work
    LOST = "lost"


class Liveness(Message, tag="liveness"):
    """Broker → dispatcher: its judgement of a server has changed."""

    server: Name
    incarnation: Name
    state: LivenessState
    why: Text
    in_order: bool = False  # lost, since it has said goodbye


class Undeliverable(Message, tag="undeliverable"):
    """Broker → dispatcher: these batches for `target` could not be delivered and never will be."""

    target: bytes
    why: Text
    batches: tuple[bytes, ...]  # as they came


class Dispatch(Message, tag="dispatch"):
    """Dispatcher → server: run this action. Numbered from 1 within the server's epoch."""

    term: Term
    epoch: Small
    number: Count
    attempt: AttemptId
    task: Annotated[bytes, Meta(max_length=1_048_576)]  # JSON of a nodes.Task
    timeout_s: Duration | None = None
    folder: str | None = None  # the pulse's folder, for tasks that write files
    variables: Annotated[bytes, Meta(max_length=1_048_576)] = b""  # JSON of an object, if any


class AbortAttempt(Message, tag="abort_attempt"):
    """Dispatcher → server: end this attempt; remembered when it has not come yet."""

    term: Term
    attempt: AttemptId
    reason: Text


class Verdict(StrEnum):
    """What the dispatcher did with a result."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    LATE = "late"
    UNKNOWN = "unknown"


class Answered(Message, tag="answered"):
    """Dispatcher → server: this result is journalled; forget it."""

    attempt: AttemptId
    verdict: Verdict


class OutputStored(Message, tag="output_stored"):
    """Dispatcher → server: output up to and without line `through` is journalled."""

    attempt: AttemptId
    through: Count


class ServerOrder(StrEnum):
    """What a server process is told to do as a whole."""

    RESTART = "restart"  # end what runs, start again as a new incarnation
    QUIT = "quit"  # end what runs, then end


class CommandServer(Message, tag="command_server"):
    """Dispatcher → server: restart or quit. Running attempts are ended and reported as aborted."""

    term: Term
    order: ServerOrder
    reason: Text


class WorkersAct(StrEnum):
    """What becomes of a server's workers."""

    OPEN = "open"
    CLOSE = "close"  # in order: what runs ends first
    DESTROY = "destroy"  # at once: what runs is aborted
    RELOAD = "reload"  # new processes, that load their modules anew


class CommandWorkers(Message, tag="command_workers"):
    """Dispatcher → server: open, close, destroy or reload the workers. `WorkersTold` answers."""

    term: Term
    id: Name
    act: WorkersAct
    reason: Text


class CommandBeats(Message, tag="command_beats"):
    """Dispatcher → server: beat at once, with facts, and so often from now on.

    Never less often than the configuration says, by which the broker judges who is silent.
    """

    term: Term
    heartbeat_s: TimeLimit | None = None  # None: as the configuration says


WorkersState = Literal["ready", "ended", "failed"]


class WorkersTold(Message, tag="workers_told"):
    """Server → dispatcher: an order about the workers is carried out, or why it is not."""

    id: Name
    state: WorkersState
    text: Text = ""
    workers: Small = 0  # that can take a task


class ClearBinding(Message, tag="clear_binding"):
    """Dispatcher → server: somebody vouches that nothing abandoned or lost runs behind this url."""

    term: Term
    url: Name


class Bound(Message, tag="bound"):
    """Server → dispatcher: what the mdsip server at `url` is busy with, as far as we asked for it.

    Sent when it has changed, and after each registration while it is not free.
    """

    url: Name
    tree: str | None = None  # None: it is free
    shot: ShotNumber | None = None
    unanswered: Small = 0  # requests under way, abandoned and lost ones included
    abandoned: Small = 0  # whose asker has gone; the answer may still come
    lost: Small = 0  # whose connection broke; only ClearBinding ends them
    waiting: Small = 0  # requests for other shots

    def __str__(self) -> str:
        """Return what the url is busy with, for people."""
        if self.tree is None:
            return f"{self.url} is free"
        text = f"{self.url} works for {self.tree}/{self.shot}: {self.unanswered} unanswered"
        if self.abandoned:
            text += f", {self.abandoned} of them ended by us and perhaps still running"
        if self.lost:
            text += f", {self.lost} lost with their connection (shotline clear-url {self.url})"
        return text


class Started(Message, tag="started"):
    """Server → dispatcher: the attempt runs since `started_at` (left out for very short tasks)."""

    attempt: AttemptId
    started_at: Wall
    pid: Small = 0


class Progress(Message, tag="progress"):
    """Server → dispatcher → observers: a running task's own report. Not journalled."""

    attempt: AttemptId
    fraction: Fraction
    text: Annotated[str, Meta(max_length=512)] = ""


class Tail(Message, tag="tail"):
    """Server → dispatcher → observers: a line of output that has not ended yet. Not journalled.

    `text` is its end where it is long; `at` is wall time, `stream` as in Output.
    """

    attempt: AttemptId
    at: Wall
    stream: Literal[1, 2]
    text: Annotated[bytes, Meta(max_length=TAIL_BYTES_MAX)]


class Output(Message, tag="output"):
    """Server → dispatcher: output. `first` is the number, from 0 in the attempt, of its first line.

    `held_from`: the first line that the server still has, and will send if it was not stored. Each
    piece: wall time, stream (1 standard output, 2 standard error, 0 a note of ours), and the
    bytes of one or more whole lines that came together, joined by line feeds, without the last one.
    """

    attempt: AttemptId
    first: Count
    pieces: tuple[tuple[Wall, StreamNumber, bytes], ...]
    held_from: Count = 0


class EndedBy(StrEnum):
    """Why an attempt ended, as its server saw it."""

    RESULT = "result"
    TIMEOUT = "timeout"
    WORKER_DIED = "worker_died"
    ABORT = "abort"  # somebody asked for it, or for the end of its server
    SERVER_ENDED = (
        "server_ended"  # by its server, which a signal ended, or which was out of contact
    )
    FORGOTTEN = "forgotten"  # started here before; how it ended was answered and is not kept
    CONNECTION_LOST = "connection_lost"  # the mdsip server behind the worker went away
    NO_SERVER = "no_server"  # never started: its mdsip server went on working for another shot


class Finished(Message, tag="finished"):
    """Server → dispatcher: the attempt has ended; sent again until Answered.

    All its output was sent before. `lines` is how many lines there were; from `held_from` on the
    server still has them.
    """

    attempt: AttemptId
    ended_by: EndedBy
    status: Status | None = None
    code: Code | None = None
    reason: Text = ""
    started_at: Wall | None = None  # None: it never started
    ended_at: Wall
    duration_s: Duration | None = None
    outcome_unknown: bool = False
    lines: Count = 0
    held_from: Count = 0
    late: bool = False  # an mdsip server's answer to what was ended here: the proof of its end


class Returned(Message, tag="returned"):
    """Server → dispatcher: taken back unstarted, and never will be started here."""

    attempt: AttemptId
    why: Text


class LogLine(Message, tag="log_line"):
    """Server, broker → dispatcher → observers: a line of a daemon's own log."""

    source: Name
    level: LogLevel
    text: Text
    at: Wall


class Event(Message, tag="event"):
    """Dispatcher → broker → observers, on the feed's topic = channel.

    Numbered from 1 per channel and term, without gaps. Channels: `shot/TREE/SHOT` (records:
    the JSON array of journal records), `output/TREE/SHOT/PATH` (one OutputEvent), `servers`, `log`,
    `feed` (one FeedBeat a second).
    """

    channel: Name
    term: Term
    seq: Count
    at: Wall
    payload: bytes  # JSON


class Outcome(StrEnum):
    """How a command ended; each has its exit code."""

    OK = "ok"  # 0
    ACCEPTED = "accepted"  # not final: the run has begun; the final reply follows
    USAGE = "usage"  # 1: the arguments are wrong
    REFUSED = "refused"  # 2: it may not be done now; the message says why
    NOBODY = "nobody"  # 3: no dispatcher or broker
    ERROR = "error"  # 4: a fault of ours
    FAILED = "failed"  # 5: carried out, but an action failed, or the run was aborted or is HELD


EXIT_CODES: dict[Outcome, int] = {
    Outcome.OK: 0,
    Outcome.ACCEPTED: 0,
    Outcome.USAGE: 1,
    Outcome.REFUSED: 2,
    Outcome.NOBODY: 3,
    Outcome.ERROR: 4,
    Outcome.FAILED: 5,
}


class Via(StrEnum):
    """How it is known who gives a command."""

    PROGRAM = "program"  # the program's own user: the command line, a supervisor
    AS = "as"  # a name that somebody has told a program
    BRIDGE = "bridge"  # a foreign system, by its bridge
    PAGE = "page"  # nobody in particular, at the page
    LOGIN = "login"  # who has logged in at the page
    PROXY = "proxy"  # whom the page's reverse proxy vouches for
    TOKEN = "token"  # a program with a token of the page's


class Behalf(Struct):
    """For whom a program gives a command, where that is not its own user; as the program says."""

    name: Annotated[str, Meta(max_length=256)] = ""
    via: Via = Via.AS
    address: Annotated[str, Meta(max_length=128)] = ""  # a browser's, behind the monitor


class Request(Message, tag="request"):
    """Client → broker → dispatcher: a command. `id` makes a repeat harmless.

    `deadline_s` is on the broker's clock; after it the command is refused as expired.
    `command` is the JSON of one of `shotline.common.commands`.
    """

    id: RequestId
    verb: Name  # the command's own verb, so that roles are checked without decoding it
    deadline_s: Clock
    user: Annotated[str, Meta(max_length=256)] = ""  # operating system's user and host that asks
    behalf: Behalf | None = None
    command: Annotated[bytes, Meta(max_length=COMMAND_BYTES_MAX)]


class Vouched(Message, tag="vouched"):
    """Broker → dispatcher: who has sent the request behind it in its batch, as the broker knows."""

    key: str = ""  # the name of the key that it has proven to have
    address: str = ""  # network address


class TurnedAway(Message, tag="turned_away"):
    """Broker → dispatcher: a command that was not passed on, for the audit; never carried out.

    `request` is the message as it came, empty where it is too large; `untold` is how many others
    were turned away since the last that was told. What is done with keys is told, too: `connect`,
    of one that is not let in, `let_in_key`, `revoke_key`.
    """

    key: str = ""
    address: str = ""
    verb: Name
    outcome: Outcome
    text: Text
    request: Annotated[bytes, Meta(max_length=65_536)] = b""
    untold: Count = 0


class Reply(Message, tag="reply"):
    """Dispatcher, broker → client: what was done, or why not.

    `result` is the JSON of the command's result (`shotline.common.views`), empty without one.
    """

    id: str
    outcome: Outcome
    message: Text
    notices: tuple[str, ...] = ()
    result: bytes = b""
    unknown: bool = False  # refused, since what the command names does not exist
    dangers: tuple[NamedDanger, ...] = ()  # refused, until somebody insists on each of these


AnyMessage = (
    Hello
    | Welcome
    | Ping
    | Pong
    | Problem
    | Register
    | Registered
    | RegistrationRefused
    | Probe
    | ProbeAnswer
    | RegisterAnew
    | ServerBeat
    | Goodbye
    | Claim
    | ClaimAccepted
    | ClaimRefused
    | SupersededNotice
    | Liveness
    | Undeliverable
    | Dispatch
    | AbortAttempt
    | Answered
    | OutputStored
    | CommandServer
    | CommandWorkers
    | CommandBeats
    | WorkersTold
    | ClearBinding
    | Bound
    | Started
    | Progress
    | Tail
    | Output
    | Finished
    | Returned
    | LogLine
    | Event
    | Request
    | Vouched
    | TurnedAway
    | Reply
)
MESSAGES: Final[dict[str, type[Message]]] = {tag_of(cls): cls for cls in get_args(AnyMessage)}
"""Every message by its kind."""
