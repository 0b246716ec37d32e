"""Which records of shots raise or clear alarms. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from shotline.alarms.events import (
    ActionHasFailed,
    ActionIsWell,
    AlarmInput,
    ShotIsNew,
    Trouble,
    TroubleIsOver,
)
from shotline.alarms.raising import severity_of
from shotline.common.actions import ActionState, Cause, Status, has_failed
from shotline.common.alarms.alarm import AlarmKind, AlarmSeverity
from shotline.common.records import (
    PulseCreated,
    RunAborting,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotRecord,
    TableBuilt,
    Transition,
)
from shotline.common.settings.sections.alarms import AlarmsSection
from shotline.dispatcher.shots import Shot

_NO_LONGER_HELD: Final = {
    RunResumed: "it was resumed",
    RunAborting: "it was aborted",
    RunEnded: "it has ended",
}


def of_transition(
    section: AlarmsSection,
    shot: Shot,
    before: Transition | None,
    live: Transition,
    alarmed: Mapping[tuple[str, int, str], int],
) -> Iterator[AlarmInput]:
    """Yield what the change of an action's state means."""
    if live.cause is None:
        return
    tree, number = shot.key
    if not has_failed(live.state, live.status):
        if (tree, number, live.path) in alarmed:
            yield ActionIsWell(tree, number, live.path, _well(live))
        return
    if before is not None and before.attempt == live.attempt and before.cause is not None:
        return  # it had failed before; only what is known of it has changed
    severity = _severity(section, shot, live)
    if severity is not None:
        yield _failed(shot, live, severity)


def of_record(section: AlarmsSection, shot: Shot, record: ShotRecord) -> Iterator[AlarmInput]:
    """Yield what a record means that is about no single action."""
    match record:
        case RunPutOnHold(coming=False):
            severity = severity_of(section.severity.held)
            if severity is not None:
                tree, number = shot.key
                about = _run(shot, record.run)
                reason = record.reason
                yield Trouble(AlarmKind.HELD, about, reason, severity, tree, number)
        case RunResumed() | RunAborting() | RunEnded():
            about = _run(shot, record.run)
            yield TroubleIsOver(AlarmKind.HELD, about, _NO_LONGER_HELD[type(record)])
        case RunOpened(paths=paths):
            yield from _unreadable(section, shot, paths)
        case TableBuilt(reset=True):
            yield ShotIsNew(*shot.key, "the tables were built anew, and forgot it")
        case PulseCreated(replaced=True):
            yield ShotIsNew(*shot.key, "the pulse was made anew")
        case _:
            pass


def of_lost(section: AlarmsSection, server: str, why: str) -> Iterator[AlarmInput]:
    """Yield what it means that a server is not there any more, and nobody has ended it."""
    severity = severity_of(section.severity.server)
    if severity is not None:
        yield Trouble(AlarmKind.SERVER, server, why, severity, server=server)


def of_registered(server: str) -> AlarmInput:
    """Return what it means that a server is there."""
    return TroubleIsOver(AlarmKind.SERVER, server, "it has registered again")


def of_dismissed(server: str) -> AlarmInput:
    """Return what it means that nobody needs to know of a server any more."""
    return TroubleIsOver(AlarmKind.SERVER, server, "somebody has dismissed it")


def _unreadable(
    section: AlarmsSection, shot: Shot, paths: tuple[str, ...]
) -> Iterator[ActionHasFailed]:
    """Yield the actions of a run that fail by not being readable."""
    for path in paths:
        live = shot.actions[path]
        if live.cause is Cause.UNREADABLE and shot.failed(path):
            severity = _severity(section, shot, live)
            if severity is not None:
                yield _failed(shot, live, severity)


def _severity(section: AlarmsSection, shot: Shot, live: Transition) -> AlarmSeverity | None:
    words = section.severity
    if live.state is ActionState.ABORTED and live.cause is Cause.OPERATOR:
        return severity_of(words.aborted)
    return severity_of(words.essential if shot.table.node(live.path).essential else words.action)


def _failed(shot: Shot, live: Transition, severity: AlarmSeverity) -> ActionHasFailed:
    node = shot.table.node(live.path)
    what = live.status.value if live.status is not None else live.state.value
    return ActionHasFailed(
        tree=shot.key.tree,
        shot=shot.key.shot,
        phase=node.phase,
        path=live.path,
        name=node.name,
        attempt=live.attempt,
        server=live.server,
        text=f"{what}: {live.reason}" if live.reason else what,
        severity=severity,
        help=node.help,
        contact=node.contact,
    )


def _well(live: Transition) -> str:
    if live.status is Status.SUCCESS:
        return f"attempt {live.attempt} has succeeded"
    return f"it is not to be run: {live.reason}" if live.reason else "it is not to be run"


def _run(shot: Shot, number: int) -> str:
    return f"{shot.key} run {number}"
