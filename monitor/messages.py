"""The bodies of the monitor's WebSocket messages, in the ReCodEx style. Pure.

A body is the JSON object without its opening brace: the message's number in its channel goes before
it, so that a message which stands in several channels is encoded once. `docs/websocket.md`
describes them all.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from json.encoder import encode_basestring
from typing import Final

import msgspec
from msgspec import NODEFAULT, structs

from shotline.client.text import cut
from shotline.common.actions import (
    ActionState,
    Category,
    Colour,
    Status,
    category_of,
    colour_of,
)
from shotline.common.alarms.alarm import Alarm
from shotline.common.base import Struct, to_json
from shotline.common.fleet.views import FleetView
from shotline.common.queue.records import QueueRecord
from shotline.common.queue.views import ProgressView, QueueChange, QueueView
from shotline.common.records import EventRaised, Record, RunOutcome, Transition, encode_record
from shotline.common.views import ActionView, OutputLine, RunView, ServerView, ShotView
from shotline.common.volumes.views import LedgerView
from shotline.monitor.models import HostSample, ServerState, SystemView

Body = bytes
Written = bytes

TEXT_MAX: Final = 500  # characters of an action's reason and text; `show` has them whole
_ENCODER: Final = msgspec.json.Encoder()
_SERVER_STATES: Final = {
    "alive": ServerState.ON,
    "suspect": ServerState.SUSPECT,
    "lost": ServerState.OFF,
    "absent": ServerState.OFF,
}


def quoted(text: str) -> Written:
    """Return a JSON string."""
    return encode_basestring(text).encode(errors="backslashreplace")


def short(record: Struct) -> Written:
    """Return a struct as JSON, without the fields that stand at their default."""
    return _ENCODER.encode(_without_defaults(record))


def _without_defaults(value: object) -> object:
    if isinstance(value, Struct):
        return {
            name: _without_defaults(found)
            for name, default in _defaults_of(type(value))
            if (found := getattr(value, name)) != default
        }
    if isinstance(value, tuple) and value and isinstance(value[0], Struct):
        return [_without_defaults(one) for one in value]
    return value


@cache
def _defaults_of(kind: type[Struct]) -> tuple[tuple[str, object], ...]:
    return tuple(
        (
            one.encode_name,
            one.default if one.default_factory is NODEFAULT else one.default_factory(),
        )
        for one in structs.fields(kind)
    )


def body(command: str, time: float, *parts: tuple[str, Written]) -> Body:
    """Return a message's body: its command, its time, and more fields."""
    return b'"command":"%s","time":%.6f%s}' % (
        command.encode(),
        time,
        b"".join(b',"%s":%s' % (name.encode(), value) for name, value in parts),
    )


def plain(command: str, time: float, fields: Mapping[str, object]) -> Body:
    """Return a message's body of values that JSON knows."""
    return body(command, time, *((name, _json(value)) for name, value in fields.items()))


def cut_message(first: int, last: int, reason: str) -> Body:
    """Return the message that stands for those that are missing."""
    return b'"command":"CUT","from":%d,"to":%d,"reason":%s}' % (first, last, quoted(reason))


def task_state(live: Transition, *, failed: bool) -> str:
    """Return what ReCodEx calls the end of a task: COMPLETED, FAILED or SKIPPED."""
    if failed:
        return "FAILED"
    return "COMPLETED" if live.state is ActionState.DONE else "SKIPPED"


def action_message(live: Transition, *, failed: bool) -> Body:
    """Return the message of an action's change; settled ones are ReCodEx's `TASK`."""
    settled = live.cause is not None
    state = task_state(live, failed=failed) if settled else live.state.value
    parts = [("task_id", quoted(live.path)), ("task_state", quoted(state))]
    if live.server is not None:
        parts.append(("server", quoted(live.server)))
    if failed:
        parts.append(("failed", b"true"))
    category = category_of(live.state, live.status, live.cause, failed=failed)
    parts += [("colour", quoted(colour(live))), ("category", quoted(category))]
    parts.append(("action", encode_record(_shortened(live))))
    return body("TASK" if settled else "ACTION", live.time, *parts)


def colour(live: Transition) -> str:
    """Return the colour that an action is shown in (D7)."""
    return colour_of(live.state, live.status, live.cause).value


def node_message(time: float, action: ActionView) -> Body:
    """Return the message of an action whose declaration was read again."""
    return body("NODE", time, ("task_id", quoted(action.path)), ("view", _action(action)))


def progress_message(time: float, path: str, fraction: float, text: str) -> Body:
    """Return the message of a running action's progress."""
    return plain(
        "PROGRESS",
        time,
        {"task_id": path, "task_state": "DOING", "progress": fraction, "text": text},
    )


def run_message(command: str, time: float, run: RunView) -> Body:
    """Return a message about a run."""
    return body(command, time, ("run", short(run)))


def run_opened(time: float, run: RunView, reset: Sequence[int]) -> Body:
    """Return the message of a run that begins; `reset`: places of actions that are pending now."""
    pending = {
        "state": ActionState.NOT_DISPATCHED,
        "run": run.run,
        "colour": Colour.BLUE,
        "category": Category.PENDING,
    }
    ranges = _json(ranges_of(reset))
    return body(
        "RUN_OPENED", time, ("run", short(run)), ("reset", ranges), ("pending", _json(pending))
    )


def ranges_of(places: Sequence[int]) -> list[list[int]]:
    """Return numbers in rising order as ranges [first, last]."""
    found: list[list[int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return found


def counts_message(time: float, phase: str, counts: Mapping[str, int]) -> Body:
    """Return the message of how many actions of a phase are in which category."""
    return plain("COUNTS", time, {"phase": phase, "counts": counts})


def run_end(run: RunView) -> str:
    """Return the last command of a run's channel."""
    return "FINISHED" if run.outcome is RunOutcome.COMPLETED else "ABORTED"


def attempt_end(live: Transition) -> str:
    """Return the last command of an attempt's channel."""
    if live.state is not ActionState.DONE:
        return "ABORTED"
    return "FINISHED" if live.status is Status.SUCCESS else "FAILED"


def record_message(command: str, time: float, record: Record) -> Body:
    """Return a message that carries a record of the journal."""
    trouble = record.trouble if isinstance(record, EventRaised) else ""
    parts = (("trouble", quoted(trouble)),) if trouble else ()
    return body(command, time, ("record", encode_record(record)), *parts)


def output_message(time: float, path: str, lines: Sequence[OutputLine]) -> Body:
    """Return the message of an attempt's output: consecutive lines, one at least."""
    told = [(line.at, line.stream, line.text) for line in lines]
    return plain("OUTPUT", time, {"task_id": path, "first": lines[0].number, "lines": told})


def tail_message(path: str, tail: OutputLine) -> Body:
    """Return the message of a line that has not ended: it may change until it comes as output."""
    fields = {"task_id": path, "stream": tail.stream, "text": tail.text}
    return plain("TAIL", tail.at, fields)


def server_state(server: ServerView) -> ServerState:
    """Return how a server stands."""
    state = _SERVER_STATES[server.liveness]
    return ServerState.DRAINING if server.draining and state is ServerState.ON else state


def server_message(time: float, server: ServerView) -> Body:
    """Return the message of a server's change."""
    return body(
        "SERVER",
        time,
        ("task_id", quoted(server.server)),
        ("task_state", quoted(server_state(server))),
        ("server", _server(server)),
    )


def log_message(
    time: float,
    level: str,
    source: str,
    text: str,
    about: tuple[str, int, str, int] | None = None,
) -> Body:
    """Return the message of one line of a daemon's log, and of the attempt that it is about."""
    attempt = dict(zip(("tree", "shot", "task_id", "attempt"), about or (), strict=False))
    return plain("LOG", time, {"level": level, "source": source, "text": text} | attempt)


def shot_message(time: float, shot: ShotView) -> Body:
    """Return the message of a shot in short."""
    return body("SHOT", time, ("shot", short(shot)))


def system_message(time: float, system: SystemView) -> Body:
    """Return the message of the system's state."""
    return body("STATE", time, ("system", to_json(system)))


def whole_shot(
    time: float,
    shot: ShotView,
    actions: Sequence[ActionView],
    counts: Mapping[str, Mapping[str, int]],
    medians: Mapping[str, float],
    estimate: Mapping[str, object] | None,
) -> Body:
    """Return the whole state of a shot; `counts` by phase and category."""
    return body(
        "WHOLE",
        time,
        ("shot", short(shot)),
        ("actions", _list(map(_action, actions))),
        ("counts", _json(counts)),
        ("medians", _json(medians)),
        ("estimate", _json(estimate)),
    )


def whole_servers(
    time: float,
    servers: Sequence[ServerView],
    heartbeats: Mapping[str, Sequence[tuple[float, float | None]]],
    fleet: FleetView | None = None,
    samples: Mapping[str, Sequence[HostSample]] | None = None,
) -> Body:
    """Return the whole state of the servers."""
    told = (
        b"%s:%s" % (quoted(name), _list(map(_ENCODER.encode, kept)))
        for name, kept in (samples or {}).items()
    )
    return body(
        "WHOLE",
        time,
        ("servers", _list(map(_server, servers))),
        ("heartbeats", _json(heartbeats)),
        ("fleet", b"null" if fleet is None else short(fleet)),
        ("samples", b"{%s}" % b",".join(told)),
    )


def fleet_message(time: float, fleet: FleetView) -> Body:
    """Return the message of a change of the fleet, but for its servers."""
    return body("FLEET", time, ("fleet", short(fleet)))


def whole_alarms(time: float, alarms: Iterable[Alarm], last: int) -> Body:
    """Return the whole list of alarms; `last` is the highest number that was given."""
    return body("WHOLE", time, ("alarms", _list(map(short, alarms))), ("newest", b"%d" % last))


def alarm_message(time: float, alarm: Alarm, last: int) -> Body:
    """Return the message of an alarm that is new, or has changed."""
    return body("ALARM", time, ("alarm", short(alarm)), ("newest", b"%d" % last))


def whole_system(time: float, system: SystemView, shots: Sequence[ShotView]) -> Body:
    """Return the whole state of the system."""
    return body("WHOLE", time, ("system", to_json(system)), ("shots", _list(map(short, shots))))


def whole_queue(
    time: float,
    queue: QueueView,
    entries: Sequence[Written],
    proposals: Sequence[Written],
    history: Sequence[Written],
    changes: Iterable[QueueChange],
) -> Body:
    """Return the whole state of the pulse queue."""
    return body(
        "WHOLE",
        time,
        ("queue", short(queue)),
        ("entries", _list(entries)),
        ("proposals", _list(proposals)),
        ("history", _list(history)),
        ("changes", _list(map(short, changes))),
    )


def queue_message(
    time: float,
    queue: QueueView,
    records: Iterable[QueueRecord],
    changes: Iterable[QueueChange],
) -> Body:
    """Return the message of what has happened to the pulse queue."""
    return body(
        "QUEUE",
        time,
        ("queue", short(queue)),
        ("records", _list(map(_record, records))),
        ("changes", _list(map(short, changes))),
    )


def queue_progress_message(time: float, progress: ProgressView) -> Body:
    """Return the message of how far the running plan is."""
    return body("PLAN_PROGRESS", time, ("running", short(progress)))


def whole_volumes(time: float, ledger: LedgerView) -> Body:
    """Return the whole state of volumes, groups and consumers."""
    return body("WHOLE", time, ("ledger", short(ledger)))


def volumes_message(time: float, ledger: LedgerView) -> Body:
    """Return the message of a change of volumes, groups, consumers or records."""
    return body("VOLUMES", time, ("ledger", short(ledger)))


def _record(record: QueueRecord) -> Written:
    return short(record)[:-1] + b',"type":%s}' % quoted(record.type)


def _action(action: ActionView) -> Written:
    live = _shortened(action.last)
    category = category_of(live.state, live.status, live.cause, failed=action.failed)
    shown = (quoted(colour(live)), quoted(category))
    if live is not action.last or len(action.text) > TEXT_MAX:
        action = structs.replace(action, last=live, text=cut(action.text, TEXT_MAX))
    return short(action)[:-1] + b',"colour":%s,"category":%s}' % shown


def _shortened(live: Transition) -> Transition:
    """Return an action's state with as much of its reason as a page of thousands can hold."""
    if len(live.reason) <= TEXT_MAX:
        return live
    return structs.replace(live, reason=cut(live.reason, TEXT_MAX))


def _server(server: ServerView) -> Written:
    return short(server)[:-1] + b',"state":%s}' % quoted(server_state(server))


def _list(parts: Iterable[Written]) -> Written:
    return b"[" + b",".join(parts) + b"]"


def _json(value: object) -> Written:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        errors="backslashreplace"
    )
