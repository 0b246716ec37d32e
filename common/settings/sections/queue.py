"""The configuration's section `queue`: kinds of plans, groups, functions, and limits."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shotline.common.queue.kinds import Parameter, ParameterName, PlanKind
from shotline.common.queue.records import QueueGroup
from shotline.common.settings.model import OF_STRUCTS
from shotline.common.settings.sections.values import (
    Bytes,
    PlanKindName,
    PositiveCount,
    Seconds,
    Section,
    ServerClass,
    Switch,
)

Kind = Annotated[PlanKind, OF_STRUCTS]
GroupName = Annotated[str, Field(min_length=1, max_length=64)]


class QueueFunction(Section):
    """A function that the queue's tasks may call in a worker of a server."""

    python: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] = Field(
        description="What is called, `module:function`, with keyword arguments."
    )
    server_class: ServerClass = Field(
        alias="class", description="The class of servers, one of which calls it."
    )
    description: str = Field("", description="For people.")
    timeout_s: Seconds | None = Field(None, description="It is ended when it takes longer.")
    parameters: dict[ParameterName, Annotated[Parameter, OF_STRUCTS]] | None = Field(
        None,
        description="Its arguments, declared as those of a kind: forms are drawn from them, and "
        "others are refused. null: any are taken.",
    )


class QueueSection(Section):
    """The pulse queue, which the dispatcher runs."""

    kinds: dict[PlanKindName, Kind] = Field(
        {}, description="Kinds of plans: what they run, and their parameters."
    )
    kinds_only: Switch = Field(
        False, description="Whether plans without a kind (experiment and phases) are refused."
    )
    unserved: Literal["warn", "refuse"] = Field(
        "warn", description="What becomes of a plan for whose actions no server is known."
    )
    return_as: Literal["held", "front"] = Field(
        "held",
        description="How a plan that failed or was aborted comes back: `held` waits for a person; "
        "`front` runs again at the next start.",
    )
    environment: Literal["automatic", "required"] = Field(
        "automatic",
        description="`required`: the queue starts only when the environment was opened.",
    )
    entries_max: PositiveCount = Field(10_000, description="Entries in the queue.")
    proposals_max: PositiveCount = Field(1_000, description="Proposals that wait for approval.")
    bytes_max: Bytes = Field(8_388_608, description="Bytes of all entries and proposals.")
    history_max: PositiveCount = Field(1_000, description="Ended plans that are kept.")
    history_age_s: Seconds | None = Field(
        None, description="They are kept no longer than this; null: as long as there is room."
    )
    groups: dict[GroupName, Annotated[QueueGroup, OF_STRUCTS]] = Field(
        {}, description="What groups of users see and may use; without any, everybody everything."
    )
    default_group: GroupName = Field(
        "operators", description="The group of whoever names none, where there are groups."
    )
    functions: dict[PlanKindName, QueueFunction] = Field(
        {}, description="What tasks may call, by the names that tasks use."
    )
    emergency_key_file: Path | None = Field(
        None, description="File, readable by its owner only, with a key that opens every lock."
    )
    task_results_s: Seconds = Field(3600.0, description="Results of tasks are kept this long.")
