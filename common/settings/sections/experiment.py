"""Where actions are described. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from shotline.common.nodes import DispatchOptions, Source
from shotline.common.queue.kinds import PlanKind
from shotline.common.settings.model import OF_STRUCTS
from shotline.common.settings.sections.values import PlanKindName, Section


class ExperimentSection(Section):
    """Where an experiment's actions are declared, and how they are dispatched."""

    source: Annotated[Source, OF_STRUCTS] = Field(description="Where its tree is found.")
    options: Annotated[DispatchOptions, OF_STRUCTS] | None = Field(
        None,
        description="How its actions are dispatched; null: as its experiment file says, "
        "else the defaults.",
    )
    kinds: dict[PlanKindName, Annotated[PlanKind, OF_STRUCTS]] = Field(
        {}, description="Kinds of pulse plans of this experiment, beside those of `queue`."
    )
    next_shot: Literal["known", "site"] = Field(
        "known",
        description="The next shot of the queue: `known`, one above all that are known here; "
        "`site`, the site's current shot number, raised by one.",
    )
