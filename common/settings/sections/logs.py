"""The configuration of logs. Pure."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from shotline.common.settings.sections.values import Bytes, Section


class LoggingSection(Section):
    """Where daemons log."""

    file: str | None = Field(
        None,
        description="File name, inside `data_folder`; {program} becomes the daemon's name. "
        "null: standard error, which systemd keeps in the journal, and `shotline up` in "
        "log/NAME.log.",
    )
    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="The least severe level that is logged."
    )
    format: Literal["text", "json"] = Field(
        "text",
        description="text: lines for people. json: one object a line, with the shot, action and "
        "attempt that it is about.",
    )
    times: Literal["local", "utc"] = Field(
        "local",
        description="In which time lines of text are, each with its zone. JSON is in UTC always.",
    )
    max_size: Bytes = Field(
        1024 * 1024, alias="max-size", description="Bytes after which a file is rotated."
    )
    rotations: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        3, description="Old files that are kept."
    )

    @field_validator("file")
    @classmethod
    def _one_file_per_daemon(cls, file: str | None) -> str | None:
        if file is not None and "{program}" not in file:
            raise ValueError("must contain {program}: several daemons cannot rotate one file")
        return file

    def file_of(self, program: str) -> Path | None:
        """Return a daemon's log file; None for standard error."""
        return None if self.file is None else Path(self.file.replace("{program}", program))


DaemonName = Annotated[
    str,
    Field(
        pattern=r"^(broker|dispatcher|hub|monitor|watcher|legacy|qserver|filterorchestrator|provider|[A-Za-z][A-Za-z0-9_.-]*:[A-Za-z0-9_.-]+)$",
        max_length=97,
    ),
]
