"""What is answered about shots that have been. Pure; answers with whole shots are in `views`."""

from typing import Literal

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.base import Struct
from shotline.common.paged import Result
from shotline.common.past.commands import Place
from shotline.common.ranges import Change, Code, Count, Duration, ShotNumber, Small, Wall
from shotline.common.records import NoteWritten


class LookedBack(Result):
    """How far an answer has looked; with `next` as `before` the command goes on from there."""

    looked_at: Count = 0  # shots
    back_to: Wall | None = None  # when the last one of them had changed last
    next: str | None = None
    unread: tuple[str, ...] = ()  # shots that could not be read, and why


class FailedAttempt(Struct):
    """An attempt that has failed, and what has become of the action since."""

    tree: str
    shot: ShotNumber
    path: str
    name: str
    phase: str = ""
    run: Small | None = None
    attempt: Small = 0
    state: ActionState
    status: Status | None = None
    cause: Cause | None = None
    reason: str = ""
    code: Code | None = None
    server: str | None = None
    at: Wall
    duration_s: Duration | None = None
    since: str = ""  # what has come of later attempts; empty: there are none


class FailuresResult(LookedBack, tag="failures"):
    """Answer to `failures`."""

    failures: tuple[FailedAttempt, ...] = ()


class Found(Struct):
    """A place where the words were found."""

    tree: str
    shot: ShotNumber
    where: Place
    at: Wall
    text: str
    path: str = ""
    attempt: Small | None = None
    line: Count | None = None  # of its output


class SearchResult(LookedBack, tag="search"):
    """Answer to `search`; `lines` of output were looked at."""

    found: tuple[Found, ...] = ()
    lines: Count = 0


class TrendPoint(Struct):
    """An action in one shot, as it has ended there."""

    shot: ShotNumber
    at: Wall
    state: ActionState
    status: Status | None = None
    failed: bool = False
    reason: str = ""
    attempt: Small = 0
    server: str | None = None
    duration_s: Duration | None = None
    kept: bool = False


class TrendResult(Result, tag="trend"):
    """Answer to `trend`: the oldest shot first; numbers are of the attempts that were successful.

    The spread is from `low_s` to `high_s`, where the middle half of them is; `slope_s` is by how
    much a shot takes longer than the one before (the median of all pairs). `trend` is said only
    where chance alone would hardly show it (Mann-Kendall, 1 in 20).
    """

    tree: str
    path: str
    name: str
    points: tuple[TrendPoint, ...] = ()
    looked_at: Count = 0
    measured: Count = 0
    median_s: Duration | None = None
    low_s: Duration | None = None
    high_s: Duration | None = None
    slope_s: Change | None = None
    trend: Literal["longer", "shorter", "steady", "unknown"] = "unknown"
    words: str = ""


class ExportResult(Result, tag="export"):
    """Answer to `export`: lines of the file from its head on, cut anywhere; but for its last line.

    `open`: the shot was still running; the file has it as it stood.
    """

    text: str
    next: str | None = None
    open: bool = False


class ImportPieceResult(Result, tag="import_piece"):
    """Answer to `import_piece`: so many bytes are there."""

    received: Count


class ImportShotResult(Result, tag="import_shot"):
    """Answer to `import_shot`; where the shot was here already, nothing has changed."""

    tree: str
    shot: ShotNumber
    is_new: bool


class NoteResult(Result, tag="note"):
    """Answer to `note`: the note as it stands."""

    note: NoteWritten


AnyPastResult = (
    FailuresResult
    | SearchResult
    | TrendResult
    | ExportResult
    | ImportPieceResult
    | ImportShotResult
    | NoteResult
)
