"""The configuration of alarms. Pure."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shotline.common.settings.sections.values import PositiveCount, Seconds, SecondsOrZero, Section

Raises = Literal["high", "medium", "low", "none"]
Word = Annotated[str, Field(min_length=1, max_length=4096)]


class SeveritySection(Section):
    """How severe each kind of alarm is; `none`: it is not raised."""

    action: Raises = Field("medium", description="An action has failed.")
    essential: Raises = Field("high", description="An essential action has failed.")
    aborted: Raises = Field("none", description="Somebody has aborted an action.")
    held: Raises = Field("high", description="A run is HELD, and waits for somebody.")
    server: Raises = Field("medium", description="An action server was lost.")
    daemon: Raises = Field("high", description="A daemon, or Redis, is away.")
    command: Raises = Field("medium", description="The alarm command has failed.")
    keeping: Raises = Field("medium", description="Old shots cannot be written into files.")


class AlarmsSection(Section):
    """Alarms: how severe, how many, and whom else to tell."""

    severity: SeveritySection = Field(
        SeveritySection(), description="How severe each kind is: high, medium, low; none: no alarm."
    )
    alarms_max: Annotated[int, Field(ge=10, le=10_000, strict=True)] = Field(
        1000,
        description="Alarms that are kept; of more the acknowledged ones go first, and what "
        "nobody has acknowledged beyond that is only counted.",
    )
    acknowledged_max: PositiveCount = Field(
        200, description="Acknowledged ones that are kept, the last ones."
    )
    group_after: PositiveCount = Field(
        10, description="When so many actions of a phase have alarms, further ones share one."
    )
    shelve_max_s: Seconds = Field(
        8 * 3600.0, description="An alarm can be shelved for so long at most."
    )
    alarm_command: tuple[Word, ...] | None = Field(
        None,
        min_length=1,
        description="The site's program that is told of alarms, and its arguments; the program is "
        "beside the configuration file. null: nobody is told.",
    )
    command_severity: Literal["high", "medium", "low"] = Field(
        "low", description="It is told of alarms of this severity, and of more severe ones."
    )
    command_gather_s: SecondsOrZero = Field(
        2.0, description="Alarms are gathered for so long, and told in one call."
    )
    command_timeout_s: Seconds = Field(60.0, description="It is ended when it takes longer.")

    @property
    def program(self) -> Path | None:
        """The site's program that is told of alarms."""
        return None if self.alarm_command is None else Path(self.alarm_command[0])

    def resolved(self, beside: Path) -> "AlarmsSection":
        """Return it with the program's place beside the configuration file."""
        if self.alarm_command is None:
            return self
        program, *words = self.alarm_command
        return self.model_copy(update={"alarm_command": (str(beside / program), *words)})
