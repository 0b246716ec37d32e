"""Which shot, run or server a command means (D16). Raises Refused where it cannot be told. Pure."""

from collections.abc import Sequence

from shotline.common import commands as c
from shotline.common.actions import IN_PROGRESS
from shotline.common.command import OnShot
from shotline.common.queue.records import TASKS
from shotline.common.records import ShotKey
from shotline.dispatcher.commands.answer import Refused, Unknown
from shotline.dispatcher.core import Core
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.shots import Run, Shot


def key_of(core: Core, command: OnShot) -> ShotKey:
    """Return the shot that is meant."""
    if command.tree is None and command.shot is not None:
        raise Refused(f"shot {command.shot} of which experiment? name tree and shot")
    if command.tree is not None and command.shot is not None:
        if command.shot < 1:
            raise Refused(
                f"shot {command.shot} is the model or the current shot, not a pulse: "
                "name a shot number"
            )
        return ShotKey(command.tree, command.shot)
    loaded = [
        key
        for key in core.shots
        if key.tree == command.tree or (command.tree is None and key.tree != TASKS)
    ]
    current = core.current
    if len({key.tree for key in loaded}) > 1:
        listed = ", ".join(map(str, sorted(loaded)))
        raise Refused(f"several experiments are open ({listed}): name tree and shot")
    if current is not None and command.tree in (None, current.tree):
        return current
    if len(loaded) == 1:
        return loaded[0]
    if not loaded:
        raise Refused("no shot is known: create a pulse or name tree and shot")
    raise Refused(f"several shots are known ({', '.join(map(str, loaded))}): name one")


def key_to_build(core: Core, command: c.BuildTables) -> ShotKey:
    """Return the shot whose tables are to be built."""
    if command.tree is None and command.shot is None:
        current = core.current
        if current is None:
            raise Refused("there is no current pulse: create one, or name tree and shot")
        others = {key.tree for key in core.shots} - {current.tree, TASKS}
        if others:
            raise Refused(
                f"several experiments are open ({', '.join(sorted(others | {current.tree}))}): "
                "name tree and shot"
            )
        return current
    return key_of(core, command)


def shot_of(core: Core, command: OnShot) -> Shot:
    """Return the shot that is meant, with its tables built."""
    key = key_of(core, command)
    shot = core.shots.get(key)
    if shot is None or not shot.has_tables:
        kind = Refused if shot is not None or key in core.stored else Unknown
        raise kind(f"{key}: its tables are not built; `shotline build-tables {_words(key)}`")
    return shot


def run_of(core: Core, command: OnShot) -> tuple[Shot, Run]:
    """Return the open run that is meant."""
    found = list(core.open_runs())
    if command.tree is not None:
        found = [pair for pair in found if pair[0].key.tree == command.tree]
    if command.shot is not None:
        found = [pair for pair in found if pair[0].key.shot == command.shot]
    if not found:
        named = command.tree if command.shot is None else f"{command.tree}/{command.shot}"
        where = f" in {named}" if command.tree else ""
        others = ", ".join(f"{shot.key} run {run.number}" for shot, run in core.open_runs())
        raise Refused(f"no run is open{where}" + (f"; open: {others}" if others else ""))
    if len(found) > 1:
        listed = ", ".join(str(shot.key) for shot, _ in found)
        raise Refused(f"runs of several shots are open ({listed}): name tree and shot")
    return found[0]


def runs_of_current(core: Core, opened: Sequence[tuple[Shot, Run]]) -> list[tuple[Shot, Run]]:
    """Return the open run of the current pulse, none where none is open at all.

    Raise Refused, with the list, where only other runs are open: nobody may think that they end.
    """
    known = [key for key in core.shots if key.tree != TASKS]
    current = core.current or (known[0] if len(known) == 1 else None)
    found = [pair for pair in opened if pair[0].key == current]
    if opened and not found:
        of = "there is no current pulse" if current is None else f"{current} has no open run"
        raise Refused(f"NOTHING was aborted: {of}. STILL OPEN: {open_words(opened)}")
    return found


def open_words(opened: Sequence[tuple[Shot, Run]]) -> str:
    """Return which runs are open, what of them is running, and how they are aborted."""
    listed = []
    for shot, run in opened:
        busy = sum(shot.actions[path].state in IN_PROGRESS for path in run.paths)
        state = "HELD, " if run.held is not None else "being aborted, " if run.aborting else ""
        what = f"{shot.key} run {run.number} ({run.opened.phase}): {state}{busy} actions running"
        listed.append(f"{what} (`shotline abort {shot.key}`)")
    return "; ".join(listed) + "; `shotline abort --all` aborts all"


def refuse_unknown_tree(core: Core, tree: str) -> None:
    """Refuse an experiment that is not configured."""
    known = core.config.experiments
    if tree not in known:
        listed = ", ".join(sorted(known)) or "none is configured"
        raise Unknown(f"unknown experiment {tree}; known: {listed}")


def servers_of(core: Core, name: str) -> list[Server]:
    """Return the live servers that CLASS or CLASS:ID names."""
    found = core.fleet.matching(name)
    if not found:
        known = ", ".join(sorted(core.fleet.servers)) or "none"
        raise Unknown(f"no live server {name}; known: {known}")
    return found


def _words(key: ShotKey) -> str:
    return f"{key.tree} {key.shot}"
