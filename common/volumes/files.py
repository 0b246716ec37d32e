"""What a watcher announces: complete files, and the data records that are in them. Pure."""

from typing import Annotated

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.ranges import Count, Wall

VolumeName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
GroupName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=80)]
"""Of consumers that share the records that are offered to them."""

FilePath = Annotated[str, Meta(min_length=1, max_length=4096)]
"""Within its volume, with `/` between folders."""

Generation = Annotated[str, Meta(min_length=1, max_length=64)]
"""Which content a path has: another one whenever the file was written anew."""

Host = Annotated[str, Meta(max_length=256)]
Words = Annotated[str, Meta(max_length=1000)]


class Part(Struct):
    """One data record of a file. The whole file is one without a name."""

    name: Annotated[str, Meta(max_length=512)] = ""  # unique within its file, such as an HDF5 group
    number: Count = 0
    sequence: Count = 0


class FileSeen(Struct):
    """A complete file."""

    path: FilePath
    generation: Generation
    size_b: Count
    modified_at: Wall
    checksum: Annotated[str, Meta(max_length=160)] = ""  # `adler32:…`, `sha256:…`; empty: none
    rule: Annotated[str, Meta(max_length=80)] = ""  # by which it was found
    companions: Annotated[tuple[FilePath, ...], Meta(max_length=16)] = ()  # that belong to it
    run: Count | None = None
    record_type: Annotated[str, Meta(max_length=80)] = ""
    key: Annotated[str, Meta(max_length=256)] = ""  # what its order is kept within
    fields: dict[str, str] = {}  # what the rule has found in its name
    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=100_000)] = (Part(),)
