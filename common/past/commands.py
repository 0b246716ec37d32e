"""The commands about shots that have been: find, compare, keep, note; one class each. Pure.

Those that look go back from the newest shot, as far as one answer's work goes. It says how far that
was, and `next`, with which as `before` they go on.
"""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from shotline.common.command import ActionPath, Command, GivenShot, GivenTree, OnShot, PagedCommand
from shotline.common.ranges import Count, Small, Wall
from shotline.common.scopes import Scope

PIECE_BYTES_MAX: Final = 36 * 1024  # as base64 it goes into a pipe at once
NOTE_MAX: Final = 4000

Cursor = Annotated[str, Meta(max_length=2000)]
ShotName = Annotated[str, Meta(pattern=r"^\s*[A-Za-z][A-Za-z0-9_]*/[0-9]{1,10}\s*$", max_length=80)]
Words = Annotated[str, Meta(max_length=200)]
Upload = Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}$")]
Place = Literal["action", "server", "reason", "output", "note", "who"]


class LookBack(Command):
    """The base of what looks at shots from the newest one back."""

    SCOPE: ClassVar[Scope] = Scope.READ
    tree: GivenTree | None = None
    since: Wall | None = None  # shots that have changed since then (seconds since 1970)
    until: Wall | None = None  # and before then
    before: Cursor | None = None  # `next` of the answer before
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class FindShots(LookBack, tag="find_shots"):
    """Shots with their phases, times and counts, who ran them, and notes; the newest first.

    `words` are parts of a name, a phase, of who ran it or wrote a note, and of notes.
    """

    words: Words = ""
    failed: bool = False  # those in which something has failed
    noted: bool = False  # those that have notes
    kept: bool = False  # those that a file has


class Failures(LookBack, tag="failures"):
    """Attempts that have failed, the newest shot first; also those that were run again since."""


class Search(LookBack, tag="search"):
    """Where words are found in shots: action, server, reason, output, note, who ran it.

    All words must be found in one line, in any case of letters. `where`: only there.
    """

    words: Annotated[str, Meta(min_length=1, max_length=200)]
    where: Annotated[tuple[Place, ...], Meta(max_length=6)] = ()


class Compare(PagedCommand, tag="compare"):
    """Two shots side by side, action by action: outcomes, durations, what is new in the second."""

    SCOPE: ClassVar[Scope] = Scope.READ
    left: ShotName
    right: ShotName
    differing: bool = False  # only what is not the same


class Trend(Command, tag="trend"):
    """One action over the last shots of its experiment: durations, outcomes, median, spread."""

    SCOPE: ClassVar[Scope] = Scope.READ
    tree: GivenTree
    path: ActionPath
    last: Annotated[int, Meta(ge=2, le=1000)] = 50


class Export(Command, tag="export"):
    """A shot's whole story as lines of the file that keeps it, in pages."""

    SCOPE: ClassVar[Scope] = Scope.READ
    tree: GivenTree
    shot: GivenShot
    place: Cursor = ""  # `next` of the page before


class ImportPiece(Command, tag="import_piece"):
    """A piece of a shot's file, on its way in; nothing is imported before all of it is there."""

    ROUTINE: ClassVar[bool] = True
    upload: Upload
    offset: Count
    data: Annotated[bytes, Meta(max_length=PIECE_BYTES_MAX)]


class ImportShot(Command, tag="import_shot"):
    """Check the file that has come in pieces, and keep the shot in it. It is only looked at.

    The file has checksums of its own; `sha256` is one of its bytes, where who sends it has one.
    """

    upload: Upload
    size: Count
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class WriteNote(OnShot, tag="note"):
    """Write a note on a shot, or on one of its actions; change or remove one by its number."""

    ALWAYS: ClassVar[bool] = True
    path: ActionPath | None = None
    text: Annotated[str, Meta(max_length=NOTE_MAX)] = ""
    note: Small | None = None  # its number, where it is another text for one that is there
    remove: bool = False


PastQuestion = FindShots | Failures | Search | Compare | Trend | Export
PastImport = ImportPiece | ImportShot
AnyPastCommand = PastQuestion | PastImport | WriteNote
