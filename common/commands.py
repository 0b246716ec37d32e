"""The commands that clients may send, one class each, and what they answer with.

The CLI, the client library, the HTTP interface and the wire use these classes; the dispatcher
carries them out. A command without tree and shot means the current pulse.

A class says all that others must know of its command: who may give it (`SCOPE`), what it ends, how
the page offers it. The route, its document, its form and the button on the page follow from it.
"""

from typing import Annotated, ClassVar, Final, Literal, get_args

import msgspec
from msgspec import Meta

from shotline.common.alarms.commands import AnyAlarmsCommand
from shotline.common.base import Json, tag_of, to_json
from shotline.common.command import (
    ActionPath,
    Button,
    Command,
    GivenShot,
    GivenTree,
    Insisted,
    OnShot,
    PagedCommand,
    PagedOnShot,
    PhaseName,
    Risky,
    RiskyOnShot,
    ServerName,
)
from shotline.common.dangers import Danger
from shotline.common.fleet.commands import AnyFleetCommand
from shotline.common.messages import Outcome, WorkersAct
from shotline.common.past.commands import AnyPastCommand
from shotline.common.pilots import ClassReport
from shotline.common.queue.commands import AnyQueueCommand
from shotline.common.ranges import NUMBER_MAX, Count, Duration, SequenceNumber, Small, Wall
from shotline.common.scopes import Scope
from shotline.common.volumes.commands import AnyRecordsCommand

AuditId = Annotated[str, Meta(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")]
"""The id of a line of the audit: milliseconds since 1970, and a number."""


class CreatePulse(Command, Risky, tag="create_pulse"):
    """Make the pulse of a shot from its model (`--replace` when it exists)."""

    FLAGS: ClassVar[dict[str, Danger]] = {"replace": Danger.PULSE_EXISTS}
    tree: GivenTree
    shot: GivenShot
    insist: Insisted = ()
    careful: bool = False
    replace: bool = False


class BuildTables(OnShot, tag="build_tables"):
    """Read and classify all actions of a shot; `reset` forgets their states.

    Without `list_actions` the answer counts them only: a list of thousands is megabytes.
    """

    reset: bool = False
    list_actions: bool = True
    variables: dict[str, Json] = {}  # of its tasks; none: those that the shot has already


class WriteNodes(OnShot, tag="write_nodes"):
    """Write values into nodes of a pulse, before its tables are built."""

    values: Annotated[dict[str, Json], Meta(min_length=1, max_length=10_000)]


class DoPhase(RiskyOnShot, tag="do_phase"):
    """Run the actions of a phase; `wait` asks for the final reply at the run's end."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    phase: PhaseName
    wait: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False


class DoSequence(RiskyOnShot, tag="do_sequence"):
    """Run the actions of a range of sequence numbers of a phase."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    phase: PhaseName
    first: SequenceNumber
    last: SequenceNumber
    wait: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False


class DispatchAction(RiskyOnShot, tag="dispatch"):
    """Run one action again."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_off": Danger.OFF,
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    path: ActionPath
    even_if_off: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False
    wait: bool = False


class Abort(OnShot, tag="abort"):
    """Abort the open run of a shot, or of the current pulse; or one action, or one server's.

    `all`: every open run, whatever its shot. The answer says which runs are open all the same.
    """

    ENDS: ClassVar[str] = "it ends what runs"
    ALWAYS: ClassVar[bool] = True
    BUTTON: ClassVar[Button] = Button(
        "run",
        4,
        "Abort run",
        "end the run and what it runs",
        ("open", "held", "aborting"),
        question="Abort {}?",
        aborts=True,
    )
    path: ActionPath | None = None
    server: ServerName | None = None
    all: bool = False


class AbortPending(OnShot, tag="abort_pending"):
    """Remove what was not sent yet; what runs goes on."""

    ENDS: ClassVar[str] = "it removes what was not sent yet"
    ALWAYS: ClassVar[bool] = True
    BUTTON: ClassVar[Button] = Button(
        "run",
        3,
        "Abort pending",
        "remove what was not sent yet; what runs goes on",
        ("open",),
        question="Abort what is pending in {}?",
    )


class Hold(OnShot, tag="hold"):
    """Start nothing more of the open run until `resume`.

    `boundary`: only before the next sequence number; `abort`: what runs is aborted, too.
    """

    ALWAYS: ClassVar[bool] = True
    BUTTON: ClassVar[Button] = Button(
        "run", 1, "Hold", "start nothing more until Resume", ("open",)
    )
    boundary: bool = False
    abort: bool = False


class Resume(OnShot, tag="resume"):
    """Let a HELD run go on; `again`: what the hold has aborted is run again."""

    BUTTON: ClassVar[Button] = Button("run", 2, "Resume", "let the run go on", ("held",))
    again: bool = False


class Wait(PagedOnShot, tag="wait"):
    """Wait for the end of the open run, or of the numbered one.

    A further page of a report (`since`) waits for nothing.
    """

    SCOPE: ClassVar[Scope] = Scope.READ
    run: Small | None = None


class ServerRestart(Command, tag="server_restart"):
    """End what a server runs and start it anew. `server` is CLASS or CLASS:ID."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    ENDS: ClassVar[str] = "it ends what runs there"
    server: ServerName


class ServerAbort(Command, tag="server_abort"):
    """Abort a class's actions, or the one at `path`."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    ENDS: ClassVar[str] = "it ends what runs there"
    ALWAYS: ClassVar[bool] = True
    server: ServerName
    path: ActionPath | None = None


class ServerStop(Command, tag="server_stop"):
    """End a server when its work is done."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    ENDS: ClassVar[str] = "it ends the server when its work is done"
    BUTTON: ClassVar[Button] = Button(
        "server",
        2,
        "Stop",
        "end it when its work is done",
        ("ON", "SUSPECT", "DRAINING"),
        question="Stop {}?",
        says="It ends when its work is done.",
    )
    server: ServerName


class ServerQuit(Command, tag="server_quit"):
    """End a server at once; its running actions become ABORTED."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    ENDS: ClassVar[str] = "it ends the server, and what runs there"
    BUTTON: ClassVar[Button] = Button(
        "server",
        4,
        "Quit",
        "end it at once; what it runs is aborted",
        ("ON", "SUSPECT", "DRAINING"),
        question="Quit {}?",
        aborts=True,
    )
    server: ServerName


class RunFunction(Command, tag="run_function"):
    """Have a server's worker call a function that the configuration names (`queue.functions`).

    It is run as the one action of a shot of its own, of the experiment `TASKS`.
    """

    function: Annotated[str, Meta(min_length=1, max_length=64)]
    positional: tuple[Json, ...] = ()  # those without a name, in the function's order
    arguments: dict[str, Json] = {}


class ServerWorkers(Command, tag="server_workers"):
    """Open, close, destroy or reload servers' workers; the answer says for each what happened."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    ENDS: ClassVar[str] = "it may end what runs there"
    servers: Annotated[tuple[ServerName, ...], Meta(max_length=1000)]
    act: WorkersAct


class ClearUrl(Command, tag="clear_url"):
    """Forget that an mdsip url may still be busy."""

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    url: Annotated[str, Meta(min_length=1, max_length=1024)]


class SystemStatus(Command, tag="status"):
    """The state of everything, in short."""

    SCOPE: ClassVar[Scope] = Scope.READ


class Servers(Command, tag="servers"):
    """All servers."""

    SCOPE: ClassVar[Scope] = Scope.READ


class ServerLog(Command, tag="server_log"):
    """The end of a server's own log, also of one that is gone."""

    SCOPE: ClassVar[Scope] = Scope.READ
    server: ServerName
    limit: Annotated[int, Meta(ge=1, le=100)] = 100


class Actions(PagedOnShot, tag="actions"):
    """All actions of a shot, with their states."""

    SCOPE: ClassVar[Scope] = Scope.READ
    phase: PhaseName | None = None


class PrintPending(PagedCommand, tag="print_pending"):
    """What is ready, sent or running, and what everything else waits for."""

    SCOPE: ClassVar[Scope] = Scope.READ


class Show(PagedOnShot, tag="show"):
    """The story of one action: every transition with time and cause."""

    SCOPE: ClassVar[Scope] = Scope.READ
    path: ActionPath


class Logs(OnShot, tag="logs"):
    """The stored output of an action's attempt (the last one without `attempt`)."""

    SCOPE: ClassVar[Scope] = Scope.READ
    path: ActionPath
    attempt: Small | None = None
    since: Count = 0
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 10_000


class Check(PagedOnShot, tag="check"):
    """Whether an essential action has failed since the last `--reset`."""

    reset: bool = False

    @property
    def changes(self) -> bool:
        """Whether it forgets failures."""
        return self.reset


class Snapshot(PagedCommand, tag="snapshot"):
    """The state of a channel with the number of its last event."""

    SCOPE: ClassVar[Scope] = Scope.READ
    channel: Annotated[str, Meta(min_length=1, max_length=1200)]


class ReadTree(PagedOnShot, tag="tree"):
    """What a shot's tree declares, read now: nothing is built, kept or changed.

    Shot -1 is the model, 0 the current shot where the site has one.
    """

    SCOPE: ClassVar[Scope] = Scope.READ


class CurrentShot(Command, tag="current"):
    """The experiment's current shot number as the site keeps it (MDSplus), set where asked for.

    `set_to` writes it, `increment` writes the next one; with neither it is only read.
    """

    tree: GivenTree
    set_to: Annotated[int, Meta(ge=1, le=NUMBER_MAX)] | None = None
    increment: bool = False

    @property
    def changes(self) -> bool:
        """Whether it sets the number."""
        return self.increment or self.set_to is not None


class Shots(PagedCommand, tag="shots"):
    """The shots that are known."""

    SCOPE: ClassVar[Scope] = Scope.READ
    tree: GivenTree | None = None


class Audit(Command, tag="audit"):
    """Who has asked for what, from where, when, and what came of it; the newest first.

    `before` goes on behind a line, by its id; `after` asks for what is newer than one. `who` is a
    part of a name, of whatever kind.
    """

    SCOPE: ClassVar[Scope] = Scope.ADMINISTER
    ALWAYS: ClassVar[bool] = True
    LOOKS: ClassVar[bool] = True
    since: Wall | None = None  # seconds since 1970
    who: Annotated[str, Meta(max_length=256)] | None = None
    command: Annotated[str, Meta(max_length=64)] | None = None  # by its verb, or `login`
    tree: GivenTree | None = None
    shot: GivenShot | None = None
    outcome: Outcome | None = None
    before: AuditId | None = None
    after: AuditId | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class NoteAccess(Command, tag="note_access"):
    """Write into the audit what somebody has done at the page that is no command of ours.

    Only monitors give it: logins, their end, who has the control.
    """

    SCOPE: ClassVar[Scope] = Scope.ADMINISTER
    what: Annotated[str, Meta(min_length=1, max_length=64)]
    tree: GivenTree | None = None
    shot: GivenShot | None = None
    outcome: Outcome = Outcome.OK
    message: Annotated[str, Meta(max_length=1000)] = ""
    arguments: Annotated[str, Meta(max_length=1000)] = ""
    at: Wall
    duration_s: Duration | None = None
    untold: Count = 0


class ProviderReport(Command, tag="provider_report"):
    """What became of the servers that were asked for on demand; the answer says what is needed.

    Only providers give it. It holds for `valid_s`; `life` tells one process of a provider from
    another, so that a class is served by one at a time.
    """

    SCOPE: ClassVar[Scope] = Scope.SERVERS
    LOOKS: ClassVar[bool] = True
    life: Annotated[str, Meta(min_length=1, max_length=64)]
    valid_s: Annotated[float, Meta(gt=0, le=600)]
    classes: Annotated[tuple[ClassReport, ...], Meta(max_length=1000)] = ()


class Rehearse(Command, tag="rehearse"):
    """Ask whether a daemon of a host may be let hang, or end as by a crash, for a rehearsal.

    The command line gives it before it does so, on the daemon's own machine; only operators' keys.
    """

    SCOPE: ClassVar[Scope] = Scope.ADMINISTER
    ALWAYS: ClassVar[bool] = True
    what: Literal["hang", "crash"]
    daemon: Annotated[str, Meta(min_length=1, max_length=128)]
    host: Annotated[str, Meta(min_length=1, max_length=256)]


class Quit(Command, tag="quit"):
    """End the dispatcher. Running actions go on in their servers."""

    SCOPE: ClassVar[Scope] = Scope.ADMINISTER
    ENDS: ClassVar[str] = "it ends the dispatcher; nothing new starts until another is there"


AnyCommand = (
    CreatePulse
    | BuildTables
    | WriteNodes
    | DoPhase
    | DoSequence
    | DispatchAction
    | Abort
    | AbortPending
    | Hold
    | Resume
    | Wait
    | ServerRestart
    | ServerAbort
    | ServerStop
    | ServerQuit
    | RunFunction
    | ServerWorkers
    | ClearUrl
    | SystemStatus
    | Servers
    | ServerLog
    | Actions
    | PrintPending
    | Show
    | Logs
    | Check
    | Snapshot
    | ReadTree
    | CurrentShot
    | Shots
    | Audit
    | NoteAccess
    | ProviderReport
    | Rehearse
    | Quit
    | AnyFleetCommand
    | AnyAlarmsCommand
    | AnyPastCommand
    | AnyQueueCommand
    | AnyRecordsCommand
)

OF_DAEMONS: Final = (NoteAccess, ProviderReport, Rehearse)
"""What only our own daemons give, and the command line before it acts on its own machine."""

VERBS: Final[dict[str, type[Command]]] = {
    tag_of(kind): kind for kind in get_args(AnyCommand) if kind not in OF_DAEMONS
}
"""Every command that people and programs may give, by its verb."""

VIEWING: Final = frozenset(
    verb for verb, kind in VERBS.items() if kind.SCOPE in (Scope.READ, Scope.PROPOSE)
)
"""The verbs for those who may only look, and propose."""

WATCHING: Final = frozenset(verb for verb, kind in VERBS.items() if kind.WATCHES)
"""The verbs that watchers of volumes give."""

READING: Final = frozenset(
    tag_of(kind) for kind in get_args(AnyCommand) if kind.SCOPE is Scope.READ or kind.LOOKS
)
"""The verbs that change nothing (`check` without reset neither, but it may)."""

_DECODER: Final[msgspec.json.Decoder[AnyCommand]] = msgspec.json.Decoder(AnyCommand)


def encode_command(command: AnyCommand) -> bytes:
    """Return a command as JSON."""
    return to_json(command)


def decode_command(data: bytes | str) -> AnyCommand:
    """Return the command of a JSON object. Raise ValueError when it is none."""
    return _DECODER.decode(data)
