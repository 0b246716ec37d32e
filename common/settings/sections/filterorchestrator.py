"""The configuration's section `filterorchestrator`: the bridge for that program's clients."""

from typing import Annotated

from pydantic import Field

from shotline.common.settings.sections.values import HostAndPort, PositiveCount, Seconds, Section

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class FilterorchestratorSection(Section):
    """The bridge for clients of the filter orchestrator."""

    address: HostAndPort = Field(
        "127.0.0.1:6000", description="HOST:PORT at which their requests are answered."
    )
    trigger_records: _Name = Field(
        "TriggerRecord", description="The group of consumers that trigger records are offered to."
    )
    time_slices: _Name = Field(
        "TimeSlice", description="The group of consumers that time slices are offered to."
    )
    volume: _Name | None = Field(
        None,
        description="The volume of files that clients announce themselves; null: they are refused.",
    )
    credit_s: Seconds = Field(
        300.0, description="A client that has asked for a record, and then for none, is gone."
    )
    connections_max: PositiveCount = Field(1_000, description="Connections at a time.")
