"""What is read of a file itself: its checksum, and which data records are in it.

It takes as long as the disk does, and is done in a thread. Whatever is wrong with a file is a
`Unreadable`, whose text is the reason for its quarantine.
"""

import stat
from pathlib import Path

from shotline.common.files.checksum import checksum_of
from shotline.common.volumes.files import FileSeen, Part
from shotline.volumes.watcher.candidates import Look
from shotline.volumes.watcher.rules import Found, parts_named


class Unreadable(Exception):
    """A file cannot be announced; the text says why."""


def look_at(root: Path, found: Found) -> Look | None:
    """Return how a file, with those that belong to it, is now; None where one is not there."""
    size_b = mtime_ns = 0
    for path in (found.path, *found.companions):
        try:
            told = (root / path).stat()
        except OSError:
            return None
        if not stat.S_ISREG(told.st_mode):
            return None
        size_b += told.st_size
        mtime_ns = max(mtime_ns, told.st_mtime_ns)
    return Look(size_b, mtime_ns)


def read(root: Path, found: Found, look: Look) -> FileSeen | None:
    """Return a file as it is announced; None where it has changed meanwhile. Raise Unreadable."""
    section, file = found.rule.section, root / found.path
    try:
        with file.open("rb"):
            pass
        checksum = "" if section.checksum == "none" else checksum_of(file, section.checksum)
        parts = _parts(file, found)
    except OSError as error:
        if look_at(root, found) != look:
            return None
        raise Unreadable(error.strerror or str(error)) from None
    if look_at(root, found) != look:
        return None
    return FileSeen(
        path=found.path,
        generation=look.generation,
        size_b=look.size_b,
        modified_at=min(max(look.mtime_ns / 1e9, 0.0), 253_402_300_799.0),
        checksum=checksum,
        rule=found.rule.name,
        companions=found.companions,
        run=found.number("run"),
        record_type=section.record_type or found.fields.get("type", ""),
        key=found.fields.get("key", ""),
        fields=dict(found.fields),
        parts=parts,
    )


def _parts(file: Path, found: Found) -> tuple[Part, ...]:
    if found.rule.section.ids.by != "hdf5":
        number, sequence = found.number("number"), found.number("sequence")
        return (Part(number=number or 0, sequence=sequence or 0),)
    try:
        import h5py
    except ImportError:
        raise Unreadable(
            "its rule reads HDF5, for which h5py is needed: pip install 'shotline[hdf5]'"
        ) from None
    try:
        with h5py.File(file, "r") as opened:
            names = sorted(opened)
    except OSError as error:
        raise Unreadable(f"it is no HDF5 file that can be read: {error}"[:900]) from None
    named = parts_named(found.rule.section.ids.groups, names)
    if not named:
        raise Unreadable(f"none of its {len(names)} groups fits {found.rule.section.ids.groups}")
    return tuple(
        Part(name=name, number=number, sequence=sequence) for name, number, sequence in named
    )
