"""What is dangerous about a command as things stand: what is named to whoever gives it. Pure."""

from collections.abc import Iterable, Sequence

from shotline.common.actions import Status
from shotline.common.command import Risky
from shotline.common.dangers import Danger, NamedDanger, listed
from shotline.common.records import ShotKey
from shotline.dispatcher.commands.answer import Dangerous
from shotline.dispatcher.core import Core
from shotline.dispatcher.shots import Shot


def refuse(command: Risky, *found: NamedDanger | None) -> None:
    """Raise Dangerous, naming those of these dangers that nobody has insisted on."""
    open_ones = [one for one in found if one is not None and not command.insists(one.danger)]
    if open_ones:
        raise Dangerous(*open_ones)


def refuse_run(
    core: Core, command: Risky, shot: Shot, paths: Sequence[str], *also: NamedDanger
) -> None:
    """Raise Dangerous where these actions of a shot are not simply to be run."""
    careful = _for_careful(core, shot, paths) if command.careful else ()
    refuse(command, _unknown(shot, paths), *also, *careful)


def _unknown(shot: Shot, paths: Sequence[str]) -> NamedDanger | None:
    unknown = [path for path in paths if shot.actions[path].outcome_unknown]
    if not unknown:
        return None
    if len(paths) == 1:
        live = shot.actions[unknown[0]]
        where = f" on {live.server}" if live.server else ""
        text = f"{unknown[0]} may still be running{where} ({live.reason})"
    else:
        text = f"these may still be running: {listed(unknown)}"
    return NamedDanger(danger=Danger.OUTCOME_UNKNOWN, text=text)


def _for_careful(core: Core, shot: Shot, paths: Sequence[str]) -> Iterable[NamedDanger]:
    good = [path for path in paths if shot.actions[path].status is Status.SUCCESS]
    if good:
        few = f"the last status of {listed(good)} is Success"
        many = f"{len(good)} of {len(paths)} have the last status Success: {listed(good)}"
        text = few if len(paths) == 1 else many
        yield NamedDanger(danger=Danger.SUCCEEDED, text=text)
    current = _current(core, shot.key)
    if current is not None and current != shot.key:
        text = f"{shot.key} is not the current shot of {shot.key.tree}: that is {current}"
        yield NamedDanger(danger=Danger.OLD_SHOT, text=text)


def _current(core: Core, key: ShotKey) -> ShotKey | None:
    """Return the shot of an experiment that people mean: its current pulse, or its newest."""
    current = core.current
    if current is not None and current.tree == key.tree:
        return current
    newest = core.newest.get(key.tree)
    return None if newest is None else ShotKey(key.tree, newest)
