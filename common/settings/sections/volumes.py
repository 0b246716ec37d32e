"""The configuration's section `volumes`: folders that are watched, rules, groups of consumers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from shotline.common.settings.sections.values import (
    Bytes,
    PlanKindName,
    PositiveCount,
    Seconds,
    SecondsOrZero,
    Section,
    Switch,
)

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
_Text = Annotated[str, Field(min_length=1, max_length=512)]


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


Expression = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_expression)]


class FolderSection(Section):
    """A volume: a folder of a host, whose files are announced."""

    folder: Path = Field(description="The folder, with all that is in it.")
    host: _Text | None = Field(
        None, description="Which host's watcher watches it; null: any that reads this."
    )
    polling: Switch = Field(
        False,
        description="Whether it is only looked at now and then: remote file systems tell of no "
        "changes that others make.",
    )
    rescan_s: Seconds = Field(
        60.0, description="All of it is looked at this often; polling volumes are every `poll_s`."
    )
    poll_s: Seconds = Field(2.0, description="How often a polling volume is looked at.")
    scan_files_per_s: PositiveCount = Field(
        50_000, description="Files that a scan looks at in a second, at most."
    )
    free_b_min: Bytes | None = Field(None, description="With less free than this it is an alert.")
    existing: Literal["announce", "ignore"] = Field(
        "announce",
        description="What becomes of files that are there when the volume is first watched.",
    )


class CompleteSection(Section):
    """When a file is complete."""

    when: Literal["closed", "renamed", "stable", "marker"] = Field(
        "closed",
        description="`closed` by its writer; `renamed` to a name of the pattern; `stable`: size "
        "and time have not changed for `stable_s`; `marker`: another file is there. Where nobody "
        "has seen it closed, as after a restart, it must be stable.",
    )
    stable_s: SecondsOrZero = Field(2.0, description="For how long nothing of it has changed.")
    marker: _Text = Field(
        "{path}.done", description="The other file; `{path}`, `{stem}` (without its last suffix)."
    )


class IdsSection(Section):
    """How a file's data records are found, and what is known of them."""

    by: Literal["file", "hdf5", "mdsplus"] = Field(
        "file",
        description="`file`: the file is one record; `hdf5`: each group of it that fits `groups`; "
        "`mdsplus`: a pulse file `.tree`, with its `.characteristics` and `.datafile`, is one.",
    )
    expression: Expression | None = Field(
        None,
        description="A regular expression for the path within the volume. Its named groups are "
        "known with the record; `run`, `number`, `sequence`, `type` and `key` say what they are "
        "called after. A path that it does not fit is not the rule's.",
    )
    groups: Expression = Field(
        r"TriggerRecord(?P<number>\d+)\.?(?P<sequence>\d+)?",
        description="For `hdf5`: a regular expression for names of top-level groups.",
    )


class ThenSection(Section):
    """What follows when a file has arrived: it is offered to consumers, or something is run.

    Texts may hold `{name}` for what is known of the file: the named groups of its expression.
    """

    consumers: tuple[_Name, ...] = Field((), description="Groups, each of which gets the records.")
    experiment: _Text | None = Field(None, description="Of the action, phase or plan.")
    shot: _Text | None = Field(None, description="Its shot, as `{shot}`.")
    create: Switch = Field(False, description="Whether the pulse is made first.")
    action: _Text | None = Field(None, description="Path of an action that is dispatched.")
    phase: _Text | None = Field(None, description="A phase that is run.")
    plan: PlanKindName | None = Field(
        None, description="A kind of plans, one of which is added to the pulse queue."
    )
    parameters: dict[_Name, JsonValue] = Field({}, description="Parameters of the plan.")

    @property
    def runs(self) -> str:
        """What it runs, in a word; empty: nothing."""
        return next((name for name in ("action", "phase", "plan") if getattr(self, name)), "")


class RuleSection(Section):
    """Which files of a volume are announced, when, as what, and what follows."""

    volume: _Name = Field(description="The volume.")
    pattern: _Text = Field(
        "*", description="Of paths within the volume; `*` and `?` within a name, `**` any folders."
    )
    complete: CompleteSection = Field(CompleteSection(), description="When a file is complete.")
    ids: IdsSection = Field(IdsSection(), description="How its data records are found.")
    record_type: Annotated[str, Field(max_length=80)] = Field(
        "", description="What its records are, such as TriggerRecord or TimeSlice."
    )
    checksum: Literal["none", "adler32", "sha256"] = Field(
        "none", description="What is computed of each file and goes with it."
    )
    then: ThenSection = Field(description="What follows.")


class ConsumersSection(Section):
    """A group of consumers that share the records offered to them."""

    lease_s: Seconds = Field(60.0, description="How long a record is leased, until it is renewed.")
    max_attempts: PositiveCount = Field(3, description="Leases of a record, then it is dead.")
    retry_delays_s: tuple[SecondsOrZero, ...] = Field(
        (), description="After each expired lease it is offered again no sooner than this."
    )
    leases_per_consumer: PositiveCount = Field(
        100, description="Records that one consumer has at a time."
    )
    ordered: Switch = Field(
        False, description="Whether of each key (`key`, else `run`) one record is leased at a time."
    )
    hosts: Literal["any", "prefer", "own"] = Field(
        "any", description="Whether consumers get records of their own host first, or only these."
    )
    credits: Switch = Field(
        False, description="Whether a record is leased only when somebody has asked to be sent one."
    )


class VolumesSection(Section):
    """Data that starts work: volumes, rules, and groups of consumers."""

    folders: dict[_Name, FolderSection] = Field({}, description="Volumes by their names.")
    rules: dict[_Name, RuleSection] = Field(
        {}, description="Rules by their names; of a file the first that fits counts."
    )
    consumers: dict[_Name, ConsumersSection] = Field(
        {}, description="Groups of consumers by their names."
    )
    consumer_lost_s: Seconds = Field(
        30.0, description="A consumer that says nothing for so long is gone, and its credits."
    )
    watcher_lost_s: Seconds = Field(
        15.0, description="A volume whose watcher says nothing for so long counts as not watched."
    )
    records_max: PositiveCount = Field(
        200_000, description="Records that are not done; more are announced when there is room."
    )
    ready_age_max_s: Seconds | None = Field(
        None, description="A record that is ready for longer is an alert; null: none is."
    )
    watcher_folder: Path = Field(
        Path("watcher"), description="Folder of the watcher's memory, inside `data_folder`."
    )

    def resolved(self, beside: Path, data: Path) -> "VolumesSection":
        """Return it with absolute paths; see `Config.resolved`."""
        folders = {
            name: one.model_copy(update={"folder": beside / one.folder})
            for name, one in self.folders.items()
        }
        update = {"folders": folders, "watcher_folder": data / self.watcher_folder}
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _known(self) -> "VolumesSection":
        for text in self._problems():
            raise ValueError(text)
        return self

    def _problems(self) -> Iterator[str]:
        for name, rule in self.rules.items():
            then = rule.then
            if rule.volume not in self.folders:
                yield f"rules.{name}.volume: there is no volume {rule.volume} under folders"
            for group in then.consumers:
                if group not in self.consumers:
                    yield f"rules.{name}.then: there is no group {group} under consumers"
            if not then.consumers and not then.runs:
                yield f"rules.{name}.then: name consumers, an action, a phase or a plan"
            if sum(one is not None for one in (then.action, then.phase, then.plan)) > 1:
                yield f"rules.{name}.then: only one of action, phase and plan"
            if (then.action or then.phase) and not (then.experiment and then.shot):
                yield f"rules.{name}.then: name the experiment and its shot"
