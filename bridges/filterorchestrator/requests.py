"""What the filter orchestrator's clients ask for: both generations of its routes. Pure."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from shotline.common.volumes.files import FileSeen, Part

RecordType = Literal["TriggerRecord", "TimeSlice"]
_Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Text = Annotated[str, Meta(max_length=4096)]

READ_NEXT: Final[dict[str, RecordType]] = {
    "/read-next-tr": "TriggerRecord",
    "/read-next-triggerrecord": "TriggerRecord",
    "/read-next-timeslice": "TimeSlice",
}
REQUEST: Final[dict[str, RecordType]] = {"/request-tr": "TriggerRecord", "/request-ts": "TimeSlice"}
COMPLETE: Final = ("/tr-complete", "/complete")


class NewFile(Struct, frozen=True):
    """A file that somebody announces."""

    host: Annotated[str, Meta(min_length=1, max_length=256)]
    file: Annotated[str, Meta(min_length=1, max_length=4096)]
    run_number: _Number
    record_ids: Annotated[tuple[tuple[_Number, _Number], ...], Meta(min_length=1)]
    record_type: RecordType = "TriggerRecord"

    def seen(self) -> FileSeen:
        """Return it as a watcher would announce it. The same file is always the same generation."""
        parts = {f"{number}.{sequence}": (number, sequence) for number, sequence in self.record_ids}
        return FileSeen(
            path=f"{self.host}:{self.file}",
            generation=f"run {self.run_number}, {len(parts)} records",
            size_b=0,
            modified_at=0.0,
            run=self.run_number,
            record_type=self.record_type,
            fields={"file": self.file, "host": self.host},
            parts=tuple(
                Part(name=name, number=number, sequence=sequence)
                for name, (number, sequence) in parts.items()
            ),
        )


class RemoveFile(Struct, frozen=True):
    """A file that is gone."""

    host: _Text
    file: _Text

    @property
    def path(self) -> str:
        """Its path on the bridge's volume."""
        return f"{self.host}:{self.file}"


class ReadNext(Struct, frozen=True):
    """Who asks for the next record."""

    host: Annotated[str, Meta(max_length=256)] = ""
    file: _Text = ""


class Complete(Struct, frozen=True):
    """A record that was written; the first generation does not say of which type."""

    run_number: _Number
    trigger_number: _Number
    sequence_number: _Number = 0
    file: _Text = ""
    type: str = ""
