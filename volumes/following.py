"""What a rule has run when a file arrives: an action, a phase, a plan; once for each file. Pure.

Such a record is leased by the ledger itself. Its steps are the dispatcher's own commands, given
under ids that the journal holds: after a restart the same ids are given again, and the dispatcher
answers as before, or goes on with what it had begun (D15).
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import ValidationError, convert

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.queue.commands import QueueAdd
from shotline.common.settings.sections.volumes import ThenSection
from shotline.common.volumes.records import (
    OrphansGone,
    RecordsDead,
    RecordsDone,
    RecordsLeased,
    RecordsReturned,
    RecordState,
    StepDone,
    StepGiven,
)
from shotline.volumes.core import RULE, LedgerCore
from shotline.volumes.events import CommandAnswered
from shotline.volumes.fold import Item

SELF: Final = "the dispatcher"
AT_ONCE_MAX: Final = 100  # records of a rule that something is run for at a time
_BEFORE_ANYTHING_RAN: Final = (Outcome.REFUSED, Outcome.NOBODY)


class Following:
    """Has run what rules say."""

    def __init__(self, core: LedgerCore) -> None:
        self._core = core
        self._given: dict[str, int] = {}  # command → record

    def recovered(self) -> None:
        """Give again what was given: the dispatcher knows the ids that it has carried out."""
        for item in list(self._core.fold.items.values()):
            if item.group.startswith(RULE) and item.lease is not None:
                self._go_on(item)

    def begin(self) -> None:
        """Have run what has become ready."""
        core = self._core
        if not core.ready:
            return
        for group in [one for one in core.stirred if one.startswith(RULE)]:
            while core.count_of(group, RecordState.LEASED) < AT_ONCE_MAX:
                item = core.offers.next(group, "", core.host_of)
                if item is None:
                    break
                core.put(
                    RecordsLeased(
                        time=core.wall,
                        group=group,
                        consumer=SELF,
                        host="",
                        numbers=(item.number,),
                        hold_s=0.0,
                        command="",
                    )
                )
                self._go_on(item)

    def answered(self, event: CommandAnswered) -> None:
        """Go on with the record whose command was answered."""
        core = self._core
        number = self._given.pop(event.command, None)
        item = core.fold.items.get(number) if number is not None else None
        if item is None or item.command != event.command:
            return
        if event.outcome is Outcome.OK or event.exists:
            core.put(StepDone(time=core.wall, number=item.number))
            self._go_on(item)
        elif event.outcome in _BEFORE_ANYTHING_RAN:
            self._again(item, event.message)
        else:
            self._die(item, event.message)

    def _go_on(self, item: Item) -> None:
        core = self._core
        rule = core.section.rules.get(item.group.removeprefix(RULE))
        if rule is None:
            self._die(item, f"there is no rule {item.group.removeprefix(RULE)} any more")
            return
        try:
            steps = list(self._steps(item, rule.then))
        except (ValueError, KeyError) as error:
            known = ", ".join(sorted(_told(item))) or "nothing"
            self._die(item, f"its rule cannot be followed: {error} (known of the file: {known})")
            return
        if item.step >= len(steps):
            core.put(RecordsDone(time=core.wall, consumer=SELF, numbers=(item.number,)))
            core.done(item)
            return
        command_id = item.command or f"record-{core.token(item)}-{item.step}"
        if not item.command:
            core.put(
                StepGiven(time=core.wall, number=item.number, step=item.step, command=command_id)
            )
        self._given[command_id] = item.number
        core.give(command_id, steps[item.step])

    def _steps(self, item: Item, then: ThenSection) -> Iterator[c.AnyCommand]:
        told = _told(item)
        if then.plan is not None:
            plan: dict[str, Any] = {"kind": then.plan, "note": f"for {item.file.path}"[:1000]}
            plan["parameters"] = {
                name: value.format_map(told) if isinstance(value, str) else value
                for name, value in then.parameters.items()
            }
            if then.experiment:
                plan["experiment"] = then.experiment.format_map(told)
            if then.shot:
                plan["shot"] = int(then.shot.format_map(told))
            yield _made(QueueAdd, plans=(plan,), user=f"rule {item.file.rule}")
            return
        tree = (then.experiment or "").format_map(told)
        shot = int((then.shot or "").format_map(told))
        if then.create:
            yield _made(c.CreatePulse, tree=tree, shot=shot)
        yield _made(
            c.BuildTables,
            tree=tree,
            shot=shot,
            list_actions=False,
            variables={"record": self._record(item)},
        )
        if then.action:
            yield _made(
                c.DispatchAction, tree=tree, shot=shot, path=then.action.format_map(told), wait=True
            )
        else:
            phase = (then.phase or "").format_map(told)
            yield _made(c.DoPhase, tree=tree, shot=shot, phase=phase, wait=True)

    def _record(self, item: Item) -> dict[str, Any]:
        """Return what the tasks of its shot know of a record."""
        file, volume = item.file, self._core.fold.volumes[item.volume]
        return {
            "number": item.number,
            "volume": item.volume,
            "host": volume.host,
            "file": f"{volume.folder.rstrip('/')}/{file.path}",
            "path": file.path,
            "companions": list(file.companions),
            "generation": file.generation,
            "size_b": file.size_b,
            "checksum": file.checksum,
            "part": item.part.name,
            "run": file.run,
            "fields": dict(file.fields),
        }

    def _again(self, item: Item, reason: str) -> None:
        core = self._core
        group = core.group_of(item.group)
        if item.tries >= group.max_attempts or item.state is RecordState.ORPHANED:
            self._die(item, f"tried {item.tries} times; at last: {reason}")
            return
        delays = group.retry_delays_s
        core.put(
            RecordsReturned(
                time=core.wall,
                numbers=(item.number,),
                delay_s=delays[min(item.tries, len(delays)) - 1],
                reason=reason[:1000],
            )
        )

    def _die(self, item: Item, reason: str) -> None:
        core = self._core
        if item.state is RecordState.ORPHANED:
            core.put(OrphansGone(time=core.wall, numbers=(item.number,)))
            return
        core.causes["dead"] += 1
        core.put(RecordsDead(time=core.wall, numbers=(item.number,), reason=reason[:1000]))


def _told(item: Item) -> dict[str, Any]:
    """Return what the texts of a rule may name."""
    file = item.file
    told: dict[str, Any] = {
        "path": file.path,
        "name": file.path.rpartition("/")[2],
        "number": item.part.number,
        "sequence": item.part.sequence,
        **file.fields,
    }
    return told if file.run is None else {"run": file.run, **told}


def _made(kind: type[c.AnyCommand], **fields: object) -> c.AnyCommand:
    """Return a command. Raise ValueError, in words, where it cannot be."""
    try:
        return convert(fields, kind)
    except ValidationError as error:
        raise ValueError(str(error)) from None
