"""What the tasks of a server class may use: a part of the configuration that workers read, too."""

from typing import Annotated

from pydantic import Field

from shotline.common.settings.model import Model


class TaskLimits(Model):
    """What a task may use. The kernel counts each of its processes for itself."""

    memory_bytes: Annotated[int, Field(ge=2**28, le=2**53, strict=True)] | None = Field(
        None,
        description="Address space of a process, which is more than it holds in memory; null: as "
        "the server's.",
    )
    cpu_s: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = Field(
        None, description="Processor time of a process, in whole seconds; null: no limit."
    )
    open_files: Annotated[int, Field(ge=64, le=2**31 - 1, strict=True)] | None = Field(
        None, description="Files, pipes and sockets that a process has open; null: as the server's."
    )
    processes: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = Field(
        None,
        description="Processes and threads of the user that the server runs as, all together; "
        "root has no such limit. null: as the server's.",
    )
