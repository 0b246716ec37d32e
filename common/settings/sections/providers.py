"""The configuration's section `providers`: servers that are started on demand (DESIGN §12)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shotline.common.settings.sections.values import (
    Label,
    PositiveCount,
    Seconds,
    SecondsOrZero,
    Section,
    ServerClass,
)

_Most = Annotated[int, Field(ge=1, le=1000, strict=True)]
_Argument = Annotated[str, Field(min_length=1, max_length=1024)]


class ProvidedClass(Section):
    """How servers of one class are started on demand."""

    provider: Literal["script", "slurm"] = Field(
        description="script: by the site's `providers.script`. slurm: as a job of Slurm."
    )
    min: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        0, description="Servers that are kept running also while there is nothing to do."
    )
    max: _Most = Field(1, description="Servers at a time; never more, those that wait included.")
    slots: Annotated[int, Field(ge=1, le=1024, strict=True)] = Field(
        1, description="Actions that one of them runs at a time."
    )
    labels: tuple[Label, ...] = Field((), description="Labels that each of them has.")
    start_after_s: SecondsOrZero = Field(
        1.0, description="One more is started when actions have waited for a slot this long."
    )
    idle_s: Seconds = Field(60.0, description="One with nothing to do for this long ends.")
    actions: PositiveCount | None = Field(
        None, description="With slurm: one ends after so many actions; null: it does not."
    )
    start_wait_s: Seconds = Field(
        300.0,
        description="Actions wait this long for the first server; then they are SERVER_OFF.",
    )
    register_s: Seconds = Field(
        60.0, description="One that was started and does not register in this time has failed."
    )
    back_off_s: Seconds = Field(
        10.0, description="Pause after a start that has failed, doubled for each further one."
    )
    back_off_max_s: Seconds = Field(600.0, description="The longest of these pauses.")
    options: tuple[_Argument, ...] = Field(
        (), description="Options of sbatch: [--partition=short, --time=60]."
    )

    @model_validator(mode="after")
    def _check(self) -> "ProvidedClass":
        if self.min > self.max:
            raise ValueError(f"min must not be more than max ({self.max})")
        return self


class ProvidersSection(Section):
    """Who starts servers on demand, for shotline-provider."""

    classes: dict[ServerClass, ProvidedClass] = Field(
        {}, description="Server classes whose servers are started on demand."
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$", max_length=32)] = Field(
        "shotline",
        description="Jobs' names begin with it: one for each site of Shotline that uses a cluster "
        "under the same user.",
    )
    look_s: Seconds = Field(1.0, description="The dispatcher is asked this often what is needed.")
    engine_look_s: Seconds = Field(
        5.0, description="The engine is asked this often while it has anything of ours."
    )
    command_s: Seconds = Field(
        30.0, description="Time limit of a command of the engine, or of the script."
    )
    script: Path | None = Field(
        None,
        description="Script that starts and ends servers, run as `sh SCRIPT CLASS START ID`; null: "
        "that of `monitor.server_command`, or the one that comes with Shotline.",
    )
    slurm_script: Path | None = Field(
        None,
        description="Batch script of the jobs, which gets the server's command as its arguments; "
        "null: the one that comes with Shotline.",
    )
    program: Annotated[tuple[_Argument, ...], Field(min_length=1)] = Field(
        ("shotline-action-server",),
        description="Program of a server and its first arguments, as the cluster's nodes find it.",
    )
