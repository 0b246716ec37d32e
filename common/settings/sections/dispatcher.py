"""The configuration of the dispatcher. Pure."""

from pathlib import Path

from pydantic import Field, field_validator

from shotline.common.fleet.settings import zone_of
from shotline.common.settings.sections.values import (
    Bytes,
    PositiveCount,
    Seconds,
    SecondsOrZero,
    Section,
    Switch,
)


class KeptSection(Section):
    """Shots in files of their own, which are looked at beside those in Redis."""

    folder: Path = Field(
        Path("kept"),
        description="Folder of the files, inside `data_folder`; imported shots come into it.",
    )
    bytes_max: Bytes = Field(
        10 * 1024**3, description="Of all files in it; beyond that no file comes into it."
    )
    before_removal: Switch = Field(
        False,
        description="true: before an old shot leaves Redis (`journal.keep_shots`), it is written "
        "into a file there; while it cannot be written, it stays.",
    )


class DispatcherSection(Section):
    """When the dispatcher gives up waiting, and how much it remembers."""

    server_grace_s: SecondsOrZero = Field(
        5.0,
        description="A class without a server for this long makes its ready actions SERVER_OFF.",
    )
    recovery_s: SecondsOrZero = Field(
        3.0, description="After a start, servers' reports are collected this long; nothing starts."
    )
    resume_within_s: SecondsOrZero = Field(
        60.0,
        description="After a restart, an open run goes on by itself when it was active less than "
        "this ago (wall clock); otherwise it is HELD until somebody resumes it.",
    )
    delivery_s: Seconds = Field(
        2.0,
        description="A dispatch that did not arrive in this time makes its server register anew.",
    )
    tree_timeout_s: Seconds = Field(
        30.0, description="Time for reading a tree, creating a pulse or raising an event."
    )
    url_wait_s: Seconds = Field(
        60.0,
        description="An action that waited this long for a busy mdsip url becomes SERVER_OFF.",
    )
    time_zone: str = Field(
        "UTC",
        description="Of the hours and maintenance windows of servers that name none (an IANA name, "
        "as Europe/Berlin).",
    )
    server_command: Path | None = Field(
        None,
        description="The site's script that starts servers for `shotline fleet add`, beside the "
        "configuration file; null: that of `monitor.server_command`, else the one that came with "
        "the installation.",
    )
    server_command_timeout_s: Seconds = Field(60.0, description="It is ended when it takes longer.")
    source_look_s: Seconds = Field(
        2.0,
        description="The answer of a run that begins waits this long for the look whether the "
        "source of its tables has changed, and so does the run where a change refuses it; then it "
        "says that nobody knows.",
    )
    commands_remembered_max: PositiveCount = Field(
        10_000, description="Answered commands whose repetition gets the same answer."
    )
    shots_loaded_max: PositiveCount = Field(
        5, description="Shots held in memory; closed ones beyond it are read again when needed."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        zone_of(name)
        return name
