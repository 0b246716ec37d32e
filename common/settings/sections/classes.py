"""The configuration's sections `classes` and `limits`: how server classes run and share work."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from shotline.common.settings.limits import TaskLimits
from shotline.common.settings.sections.values import PositiveCount, Section

ClassPattern = Annotated[str, Field(pattern=r"^[A-Za-z*?][A-Za-z0-9_.*?-]*$", max_length=64)]
LimitName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
Preference = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:*?-]+$", max_length=128)]


class ClassSection(Section):
    """How the servers of a class run its actions, and how these are given to them."""

    limits: TaskLimits | None = Field(
        None, description="What a task may use; null: as in `action_server.limits`."
    )
    nice: Annotated[int, Field(ge=0, le=19, strict=True)] = Field(
        0, description="How much its tasks stand back behind others that want the CPUs."
    )
    concurrency: PositiveCount | None = Field(
        None,
        description="Actions of the class that may run at a time, on all its servers together; "
        "null: as many as there are slots.",
    )
    longest_queue: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)] | None = Field(
        None,
        description="Ready actions that may wait for a slot; what comes beyond them becomes "
        "SERVER_OFF. null: any number.",
    )
    prefer: tuple[Preference, ...] = Field(
        (),
        description="Servers (CLASS:ID) or labels that get work before others, the first first; "
        "`*` and `?` stand for any letters.",
    )


class NamedLimit(Section):
    """How many actions of some classes may run at a time, all together."""

    most: PositiveCount = Field(description="So many of them at a time.")
    classes: Annotated[tuple[ClassPattern, ...], Field(min_length=1)] = Field(
        description="The classes whose actions count; `*` and `?` stand for any letters."
    )


def class_of(classes: Mapping[str, ClassSection], name: str) -> ClassSection:
    """Return what counts for a class: what bears its name, else the first pattern that fits it."""
    found = classes.get(name)
    if found is not None:
        return found
    fits = (section for pattern, section in classes.items() if fnmatchcase(name, pattern))
    return next(fits, _NOTHING_SAID)


_NOTHING_SAID = ClassSection()
