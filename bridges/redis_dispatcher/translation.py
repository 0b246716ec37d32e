"""Old messages made into commands, Shotline's states made into the old words. Pure.

The formats are those of the MDSplus Redis dispatcher: its command channel, its servers' channels,
the items of its queues, and the values of its hashes. Anything else raises BadOldMessage (I7).
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec import structs

from shotline.common import commands as c
from shotline.common.actions import IN_PROGRESS, ActionState, Cause, Status
from shotline.common.base import Value
from shotline.common.codec import describe
from shotline.common.command import Command
from shotline.common.errors import RemoteError
from shotline.common.records import ShotKey, Transition

COMMANDS: Final = "ACTION_DISPATCHER_COMMANDS"
SERVER_COMMANDS: Final = "ACTION_SERVER_PUBSUB:"  # and the server class
ENDED: Final = "ACTION_DISPATCHER_PUBSUB"
MONITOR: Final = "DISPATCH_MONITOR_PUBSUB"

MESSAGE_BYTES_MAX: Final = 4096
_SHOWN_MAX: Final = 200
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_SECONDS: Final = re.compile(r"-?[0-9]{1,10}(\.[0-9]{0,9})?", re.ASCII)
_SERVER_CLASS: Final = re.compile(r"[^:+\s]{1,64}")
_SERVER_ID: Final = re.compile(r"[^:+\s]{1,32}")
_RUN_VERBS: Final = ("do_phase", "do_sequence")

T = TypeVar("T", bound=Command)


class BadOldMessage(RemoteError):
    """A program published what is no message of the Redis dispatcher's.

    `end_phase` is the END_PHASE that its sender waits for, where it is a do_phase gone wrong.
    """

    def __init__(self, detail: str, end_phase: str | None = None) -> None:
        super().__init__(detail)
        self.end_phase = end_phase


class AbortAll(Value):
    """Abort every open run."""


class AbortAllPending(Value):
    """Remove what was not sent yet from every open run."""


class TakeQueue(Value):
    """Dispatch what the page has put into a server class's queue."""

    server_class: str


class AbortAction(Value):
    """Abort one action of a server class; the old message does not say in which shot."""

    server_class: str
    path: str


class Beat(Value):
    """Show that a server is alive."""

    server: str


Order = (
    c.CreatePulse
    | c.BuildTables
    | c.DoPhase
    | c.DoSequence
    | c.PrintPending
    | c.Quit
    | c.ServerRestart
    | c.ServerStop
    | c.ServerQuit
    | AbortAll
    | AbortAllPending
    | TakeQueue
    | AbortAction
    | Beat
)


def verb_of(order: Order) -> str | None:
    """Return which command an order is, as the configuration has them; None: it is none."""
    match order:
        case AbortAll() | AbortAction():
            return "abort"
        case AbortAllPending():
            return "abort_pending"
        case TakeQueue():
            return "dispatch"
        case Beat():
            return None
        case _:
            return order.verb


def order_of_command(data: bytes, *, replace_pulse: bool = False) -> Order:
    """Return what a message on the command channel asks for. Raise BadOldMessage."""
    text = _text(data)
    verb, *arguments = (part.strip() for part in text.split(":"))
    verb = verb.lower()
    made = _COMMANDS.get((verb, len(arguments)))
    if made is None:
        known = any(verb == name for name, _ in _COMMANDS)
        why = "has the wrong number of arguments" if known else "is no command"
        raise BadOldMessage(f"{_shown(text)} {why}", _end_phase_owed(verb, arguments))
    try:
        order = made(arguments)
    except BadOldMessage as error:
        why = f"{_shown(text)}: {error}"
        raise BadOldMessage(why, _end_phase_owed(verb, arguments)) from None
    if isinstance(order, c.CreatePulse) and replace_pulse:
        return structs.replace(order, replace=True)
    return order


def order_of_server(channel: bytes, data: bytes) -> Order:
    """Return what a message on a server class's channel asks for. Raise BadOldMessage."""
    server_class = _text(channel).removeprefix(SERVER_COMMANDS)
    if not _SERVER_CLASS.fullmatch(server_class):
        raise BadOldMessage(f"{_shown(server_class)} is no server class")
    text = _text(data)
    verb, separator, argument = (part.strip() for part in text.partition("+"))
    verb = verb.upper()
    if verb == "DO" and not separator:
        return TakeQueue(server_class)
    if verb == "ABORT" and argument:
        return AbortAction(server_class, _path(argument))
    if verb in _TO_SERVERS and separator:
        if not _SERVER_ID.fullmatch(argument):
            raise BadOldMessage(f"{_shown(text)} names no server id")
        return _TO_SERVERS[verb](f"{server_class}:{argument}")
    raise BadOldMessage(f"{_shown(text)} is no command to the servers of {server_class}")


def queued_action(data: bytes) -> c.DispatchAction:
    """Return what an item `T+S+PATH+nid+timeout[+notify]` asks for. Raise BadOldMessage."""
    text = _text(data)
    parts = text.split("+")
    if len(parts) not in (5, 6):
        raise BadOldMessage(f"{_shown(text)} is not tree+shot+path+nid+timeout")
    tree, shot, path, nid, timeout, *notify = parts
    if not all(_NUMBER.fullmatch(number) for number in (nid, *notify)):
        raise BadOldMessage(f"{_shown(text)}: nid and notify must be numbers")
    if not _SECONDS.fullmatch(timeout):
        raise BadOldMessage(f"{_shown(text)}: the timeout must be a number")
    return _make(c.DispatchAction, tree=tree, shot=_number(shot), path=_path(path))


def end_phase(tree: str, shot: int, phase: str) -> str:
    """Return the message that the old command program waits for."""
    return f"END_PHASE+{tree}+{shot}+{phase}"


def doing(key: ShotKey, server_class: str, live: Transition, nid: int | None) -> str:
    """Return the message about an action that has begun."""
    server_id = server_id_of(live)
    return f"DOING+{key.tree}+{key.shot}+{server_class}+{server_id}+{live.path}+{nid or 0}"


def done(key: ShotKey, server_class: str, live: Transition, nid: int | None) -> str:
    """Return the message about an action that has ended."""
    server_id = server_id_of(live)
    return (
        f"DONE+{key.tree}+{key.shot}+{server_class}+{server_id}+{live.path}+{nid or 0}"
        f"+{status_of(live)}"
    )


def ended(key: ShotKey, server_class: str, path: str, status: str, output: str) -> str:
    """Return the message that carries an ended action's output."""
    return f"{key.tree}+{key.shot}+{server_class}+{path}+{status}+{output}"


def server_id_of(live: Transition) -> str:
    """Return the id of the server that an action was given to."""
    return (live.server or "").partition(":")[2] or "0"


def info_of(live: Transition) -> str:
    """Return the word of ACTION_INFO. It has none for ABORTED: that is a status there."""
    if live.state is ActionState.NOT_DISPATCHED and live.cause is Cause.OFF:
        return "OFF"
    return "DONE" if live.state is ActionState.ABORTED else live.state.value


def status_of(live: Transition) -> str:
    """Return the word of ACTION_STATUS."""
    if live.state is ActionState.DONE:
        return "Success" if live.status is Status.SUCCESS else "Failure"
    if live.state in IN_PROGRESS:
        return "None"
    return "none" if live.cause is None else _STATUS_OF_CAUSE[live.cause]


_STATUS_OF_CAUSE: Final[dict[Cause, str]] = {
    Cause.RESULT: "Failure",
    Cause.TIMEOUT: "Failure",
    Cause.WORKER_DIED: "Failure",
    Cause.OPERATOR: "Aborted",
    Cause.SERVER_LOST: "ServerCrashed",
    Cause.FORGOTTEN: "Unknown Error",
    Cause.NO_SERVER: "NotExecuted",
    Cause.OFF: "none",
    Cause.ASYNCHRONOUS: "none",
    Cause.UNREADABLE: "Unknown Error",  # to the old dispatcher such actions did not exist
    Cause.BAD_NUMBER: "none",
    Cause.CONDITION_FALSE: "NotExecuted",
    Cause.CANNOT_HAPPEN: "NotExecuted",
    Cause.ABORTED_BEFORE_SENT: "Aborted",
}


def _on_shot(kind: type[T]) -> Callable[[list[str]], T]:
    return lambda words: _make(kind, tree=words[0], shot=_number(words[1]))


def _do_phase(words: list[str]) -> c.DoPhase:
    return _make(c.DoPhase, tree=words[0], shot=_number(words[1]), phase=_phase(words[2]))


def _do_sequence(words: list[str]) -> c.DoSequence:
    return _make(
        c.DoSequence,
        tree=words[0],
        shot=_number(words[1]),
        phase=_phase(words[2]),
        first=_number(words[3]),
        last=_number(words[4]),
    )


_COMMANDS: Final[dict[tuple[str, int], Callable[[list[str]], Order]]] = {
    ("quit", 0): lambda _: c.Quit(),
    ("abort", 0): lambda _: AbortAll(),
    ("create_pulse", 2): _on_shot(c.CreatePulse),
    ("build_tables", 2): _on_shot(c.BuildTables),
    ("do_phase", 3): _do_phase,
    ("do_sequence", 5): _do_sequence,
    ("print_pending", 0): lambda _: c.PrintPending(),
    ("abort_pending", 0): lambda _: AbortAllPending(),
}
"""By verb and number of arguments."""

_TO_SERVERS: Final[dict[str, Callable[[str], Order]]] = {
    "RESTART": lambda server: _make(c.ServerRestart, server=server),
    "STOP": lambda server: _make(c.ServerStop, server=server),
    "QUIT": lambda server: _make(c.ServerQuit, server=server),
    "HEARTBEAT": Beat,
}


def _make(kind: type[T], **arguments: object) -> T:
    try:
        return msgspec.convert(arguments, kind)
    except ValueError as error:
        raise BadOldMessage(describe(error)) from None


def _text(data: bytes) -> str:
    if len(data) > MESSAGE_BYTES_MAX:
        raise BadOldMessage(f"a message of {len(data)} bytes is too long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadOldMessage(f"{_shown(repr(data))} is not text") from None


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadOldMessage(f"{_shown(text)} is no number")
    return int(text)


def _path(text: str) -> str:
    if not text or "+" in text or not text.isprintable():
        raise BadOldMessage(f"{_shown(text)} is no path of an action")
    return text


def _phase(text: str) -> str:
    if "+" in text or not text.isprintable():
        raise BadOldMessage(f"{_shown(text)} is no name of a phase")
    return text


def _end_phase_owed(verb: str, arguments: list[str]) -> str | None:
    """Return the END_PHASE for a command that would have run a phase, had it been right."""
    if verb not in _RUN_VERBS:
        return None
    said = [re.sub(r"[^\w.:\\$-]", "?", word)[:64] for word in arguments[:3]]
    return "+".join(("END_PHASE", *said, *("",) * (3 - len(said))))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
