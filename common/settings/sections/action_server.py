"""The configuration of action servers. Pure."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shotline.common.settings.limits import TaskLimits
from shotline.common.settings.sections.values import (
    Bytes,
    Label,
    MdsipUrl,
    ModuleName,
    PositiveCount,
    Seconds,
    SecondsOrZero,
    Section,
    ServerClass,
    Switch,
)


class HealthSection(Section):
    """A check of the host by a program of the site."""

    command: tuple[str, ...] = Field(
        (),
        description="Program and arguments, run without a shell by one of the host's servers; any "
        "exit code but 0 keeps work from all of them, with its output as the reason. []: none.",
    )
    every_s: Seconds = Field(60.0, description="It is run this often.")
    timeout_s: Seconds = Field(
        10.0, description="It is killed when it takes longer; the host then counts as not well."
    )
    resumes: Switch = Field(
        True,
        description="true: servers take work again once it is well. false: they are drained, until "
        "somebody lets them.",
    )


class ActionServerSection(Section):
    """How an action server runs tasks and how much of their output it takes."""

    slots: Annotated[int, Field(ge=0, le=1024, strict=True)] = Field(
        1, description="Actions that run at a time, each in a process; 0: as many as CPUs."
    )
    kill_grace_s: SecondsOrZero = Field(
        0.5, description="Time between TERM and KILL when a task is ended."
    )
    kill_wait_s: Seconds = Field(
        5.0,
        description="What is not gone this long after KILL settles with its outcome unknown; "
        "its slot stays taken and is shown STUCK.",
    )
    on_return: Literal["finish", "end"] = Field(
        "finish",
        description="What a server that was counted as lost does with what it still runs: "
        "finish: it runs on and its results are late. end: it is ended first.",
    )
    task_timeout_s: Seconds | None = Field(
        None, description="Time limit of actions that have none of their own; null: no limit."
    )
    task_path: tuple[Path, ...] | None = Field(
        None,
        description="Folders of the modules that Python tasks name, beside the configuration file; "
        "null: the folder in which the server was started. They come behind what is installed and "
        "what PYTHONPATH names.",
    )
    limits: TaskLimits = Field(TaskLimits(), description="What a task may use.")
    preload: dict[ServerClass, tuple[ModuleName, ...]] = Field(
        {},
        description="Modules by server class that each worker loads before it takes a task; one "
        "that cannot be loaded keeps the worker from starting, with its reason.",
    )
    labels: tuple[Label, ...] = Field(
        (),
        description="What the site calls these servers, as [fast-disk, hall-2]: an action with one "
        "of them as its `label` runs on no others.",
    )
    facts_s: Seconds = Field(
        5.0, description="The host is measured this often, and told beside the heartbeats."
    )
    disks: tuple[Path, ...] = Field(
        (), description="Folders, beside the configuration file, whose file systems are measured."
    )
    health: HealthSection = Field(HealthSection(), description="A check of the host.")
    results_max: PositiveCount = Field(
        1000, description="Results not yet stored; at this number the server takes no work."
    )
    output_lines_max: PositiveCount = Field(
        1_000_000, description="Lines of output per attempt; a note stands where the rest was cut."
    )
    output_bytes_max: Bytes = Field(
        64 * 1024 * 1024, description="Bytes of output per attempt, cut in the same way."
    )
    output_line_bytes_max: Annotated[int, Field(ge=80, le=2**24, strict=True)] = Field(
        64 * 1024, description="A longer line is split."
    )
    output_window_bytes: Bytes = Field(
        4 * 1024 * 1024,
        description="Output of one attempt that is not stored yet; beyond it the task's pipe is "
        "not read, and the task waits when it is full.",
    )
    held_bytes_max: Bytes = Field(
        256 * 1024 * 1024,
        description="Output of all attempts that is not stored yet; beyond it the server takes no "
        "work.",
    )
    output_hold_s: SecondsOrZero = Field(
        0.005, description="Output is gathered this long before it is sent."
    )
    fold_s: SecondsOrZero = Field(
        0.005, description="The start of an action that ends within this time is sent with its end."
    )
    state_folder: Path = Field(
        Path("servers"),
        description="Folder of the files that tell a new server what an old one left running, "
        "inside `data_folder`.",
    )
    mdsip_url: MdsipUrl | None = Field(
        None,
        description="Url of the mdsip server that runs this server's MDSplus tasks; null: the "
        "experiment's own, as its `source` says.",
    )
    mdsip_connect_timeout_s: Seconds = Field(
        10.0, description="Time limit of making a connection to an mdsip server that runs tasks."
    )
    mdsip_keep_alive_s: int = Field(
        15, ge=1, description="A silent connection is tested this often, and lost after 4 of them."
    )
