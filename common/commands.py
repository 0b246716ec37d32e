"""The commands that clients may send, one class each, and what they answer with.

The CLI, the client library, the HTTP interface and the wire use these classes; the dispatcher
carries them out. A command without tree and shot means the current pulse (D16).
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from shotline.common.dangers import Danger
from shotline.common.model import Model
from shotline.common.ranges import Count, SequenceNumber, Small

GivenTree = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64
    ),
]
GivenShot = Annotated[int, Field(ge=-1, le=2**31 - 1, strict=True)]
PhaseName = Annotated[str, Field(min_length=1, max_length=64)]
ActionPath = Annotated[str, Field(min_length=1, max_length=1024)]
ServerName = Annotated[str, Field(pattern=r"^[^:\s]+(:[^:\s]+)?$", max_length=128)]


class Command(Model):
    """The base of all commands."""


class OnShot(Command):
    """A command about one shot; without tree and shot about the current pulse (D16)."""

    tree: GivenTree | None = None
    shot: GivenShot | None = None


class Pages(Command):
    """A command that is answered in pages, one at a time: `since` is `next` of the one before."""

    since: Count = 0


class Risky(Command):
    """A command that is refused where it is dangerous, until somebody insists on each danger.

    `insist` names those that are taken; the fields that say one by itself say the same. `careful`:
    name also the dangers that programs are not asked about (`succeeded`, `old_shot`).
    """

    FLAGS: ClassVar[dict[str, Danger]] = {}  # fields that insist on one
    insist: Annotated[
        tuple[Annotated[Danger, Field(strict=False)], ...], Field(max_length=len(Danger))
    ] = ()
    careful: bool = False

    def insists(self, danger: Danger) -> bool:
        """Return whether somebody has taken this danger."""
        flags = self.FLAGS.items()
        return danger in self.insist or any(
            found is danger and getattr(self, name, False) for name, found in flags
        )


class CreatePulse(Risky):
    """Make the pulse of a shot from its model (`--replace` when it exists, D14)."""

    FLAGS: ClassVar[dict[str, Danger]] = {"replace": Danger.PULSE_EXISTS}
    verb: Literal["create_pulse"] = "create_pulse"
    tree: GivenTree
    shot: GivenShot
    replace: bool = False


class BuildTables(OnShot):
    """Read and classify all actions of a shot; `reset` forgets their states (D1, D14).

    Without `list_actions` the answer counts them only: a list of thousands is megabytes.
    """

    verb: Literal["build_tables"] = "build_tables"
    reset: bool = False
    list_actions: bool = True


class DoPhase(OnShot, Risky):
    """Run the actions of a phase (D2 to D5); `wait` asks for the final reply at the run's end."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    verb: Literal["do_phase"] = "do_phase"
    phase: PhaseName
    wait: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False


class DoSequence(OnShot, Risky):
    """Run the actions of a range of sequence numbers of a phase (D12)."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    verb: Literal["do_sequence"] = "do_sequence"
    phase: PhaseName
    first: SequenceNumber
    last: SequenceNumber
    wait: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False


class DispatchAction(OnShot, Risky):
    """Run one action again (D10)."""

    FLAGS: ClassVar[dict[str, Danger]] = {
        "even_if_off": Danger.OFF,
        "even_if_running": Danger.OUTCOME_UNKNOWN,
        "even_if_changed": Danger.SOURCE_CHANGED,
    }
    verb: Literal["dispatch"] = "dispatch"
    path: ActionPath
    even_if_off: bool = False
    even_if_running: bool = False
    even_if_changed: bool = False
    wait: bool = False


class Abort(OnShot):
    """Abort the open run of a shot, or of all shots, or one action, or one server's (D9)."""

    verb: Literal["abort"] = "abort"
    path: ActionPath | None = None
    server: ServerName | None = None


class AbortPending(OnShot):
    """Remove what was not sent yet; what runs goes on (D9)."""

    verb: Literal["abort_pending"] = "abort_pending"


class Hold(OnShot):
    """Start nothing more of the open run until `resume`."""

    verb: Literal["hold"] = "hold"


class Resume(OnShot):
    """Let a HELD run go on."""

    verb: Literal["resume"] = "resume"


class Wait(OnShot, Pages):
    """Wait for the end of the open run, or of the numbered one.

    A further page of a report (`since`) waits for nothing.
    """

    verb: Literal["wait"] = "wait"
    run: Small | None = None


class ServerRestart(Command):
    """End what a server runs and start it anew (D17). `server` is CLASS or CLASS:ID."""

    verb: Literal["server_restart"] = "server_restart"
    server: ServerName


class ServerAbort(Command):
    """Abort a class's actions, or the one at `path` (D17)."""

    verb: Literal["server_abort"] = "server_abort"
    server: ServerName
    path: ActionPath | None = None


class ServerStop(Command):
    """End a server when its work is done (D17)."""

    verb: Literal["server_stop"] = "server_stop"
    server: ServerName


class ServerQuit(Command):
    """End a server at once; its running actions become ABORTED (D17)."""

    verb: Literal["server_quit"] = "server_quit"
    server: ServerName


class ClearUrl(Command):
    """Forget that an mdsip url may still be busy (DESIGN §6, mdsip)."""

    verb: Literal["clear_url"] = "clear_url"
    url: Annotated[str, Field(min_length=1, max_length=1024)]


class SystemStatus(Command):
    """The state of everything, in short."""

    verb: Literal["status"] = "status"


class Servers(Command):
    """All servers."""

    verb: Literal["servers"] = "servers"


class Actions(OnShot, Pages):
    """All actions of a shot, with their states."""

    verb: Literal["actions"] = "actions"
    phase: PhaseName | None = None


class PrintPending(Pages):
    """What is ready, sent or running, and what everything else waits for."""

    verb: Literal["print_pending"] = "print_pending"


class Show(OnShot, Pages):
    """The story of one action: every transition with time and cause."""

    verb: Literal["show"] = "show"
    path: ActionPath


class Logs(OnShot):
    """The stored output of an action's attempt (the last one without `attempt`)."""

    verb: Literal["logs"] = "logs"
    path: ActionPath
    attempt: Small | None = None
    since: Count = 0
    limit: Annotated[int, Field(ge=1, le=100_000)] = 10_000


class Check(OnShot, Pages):
    """Whether an essential action has failed since the last `--reset` (D3)."""

    verb: Literal["check"] = "check"
    reset: bool = False


class Snapshot(Pages):
    """The state of a channel with the number of its last event (I6)."""

    verb: Literal["snapshot"] = "snapshot"
    channel: Annotated[str, Field(min_length=1, max_length=1200)]


class ReadTree(OnShot, Pages):
    """What a shot's tree declares, read now: nothing is built, kept or changed.

    Shot -1 is the model, 0 the current shot where the site has one.
    """

    verb: Literal["tree"] = "tree"


class CurrentShot(Command):
    """The experiment's current shot number as the site keeps it (MDSplus), set where asked for.

    `set_to` writes it, `increment` writes the next one; with neither it is only read.
    """

    verb: Literal["current"] = "current"
    tree: GivenTree
    set_to: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    increment: bool = False


class Shots(Pages):
    """The shots that are known."""

    verb: Literal["shots"] = "shots"
    tree: GivenTree | None = None


class Quit(Command):
    """End the dispatcher. Running actions go on in their servers."""

    verb: Literal["quit"] = "quit"


AnyCommand = (
    CreatePulse
    | BuildTables
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
    | ClearUrl
    | SystemStatus
    | Servers
    | Actions
    | PrintPending
    | Show
    | Logs
    | Check
    | Snapshot
    | ReadTree
    | CurrentShot
    | Shots
    | Quit
)

READING: Final[frozenset[str]] = frozenset(
    (
        "status",
        "servers",
        "actions",
        "print_pending",
        "show",
        "logs",
        "snapshot",
        "tree",
        "shots",
        "wait",
    )
)
"""The verbs that change nothing (`check` without reset neither, but it may)."""

_ADAPTER: Final[TypeAdapter[AnyCommand]] = TypeAdapter(
    Annotated[AnyCommand, Field(discriminator="verb")]
)


def encode_command(command: AnyCommand) -> bytes:
    """Return a command as JSON."""
    return command.__pydantic_serializer__.to_json(command)


def decode_command(data: bytes | str) -> AnyCommand:
    """Return the command of a JSON object. Raise pydantic's ValidationError when it is none."""
    return _ADAPTER.validate_json(data)
