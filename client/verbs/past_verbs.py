"""One function per command about shots that have been.

What looks back answers with a page: `next` of its result, given as `before`, goes on where it
ended. Times are seconds since 1970.
"""

from collections.abc import Sequence
from typing import Literal

from shotline.client.calls import Call, make, reading, result
from shotline.common import views as v
from shotline.common.past import commands as p
from shotline.common.past import views as pv

Place = Literal["action", "server", "reason", "output", "note", "who"]


def find_shots(
    tree: str | None = None,
    *,
    words: str = "",
    since: float | None = None,
    until: float | None = None,
    failed: bool = False,
    noted: bool = False,
    kept: bool = False,
    before: str | None = None,
    limit: int = 100,
) -> Call[v.FoundShotsResult]:
    """Return shots with phases, times, counts, who ran them and notes; the newest first.

    `words` are parts of names, phases, people and notes; `failed`, `noted` and `kept` (in a file)
    leave out all others.
    """
    wanted = {"words": words, "failed": failed, "noted": noted, "kept": kept}
    asked = {"tree": tree, "since": since, "until": until, "before": before, "limit": limit}
    return result(make(p.FindShots, **wanted, **asked), v.FoundShotsResult)


def failures(
    tree: str | None = None,
    *,
    since: float | None = None,
    until: float | None = None,
    before: str | None = None,
    limit: int = 200,
) -> Call[pv.FailuresResult]:
    """Return the attempts that have failed, of all shots, the newest shot first."""
    asked = {"tree": tree, "since": since, "until": until, "before": before, "limit": limit}
    return result(make(p.Failures, **asked), pv.FailuresResult)


def search(
    words: str,
    tree: str | None = None,
    *,
    where: Sequence[Place] = (),
    since: float | None = None,
    until: float | None = None,
    before: str | None = None,
    limit: int = 100,
) -> Call[pv.SearchResult]:
    """Return where words are found in shots: actions, servers, reasons, output, notes, people.

    All words must be in one line, in any case of letters; `where` leaves out other places.
    """
    asked = {"tree": tree, "since": since, "until": until, "before": before, "limit": limit}
    return result(make(p.Search, words=words, where=tuple(where), **asked), pv.SearchResult)


def compare(left: str, right: str, *, differing: bool = False) -> Call[v.CompareResult]:
    """Return two shots side by side, as TREE/SHOT each; `differing`: only what is not the same."""
    return result(make(p.Compare, left=left, right=right, differing=differing), v.CompareResult)


def trend(tree: str, path: str, *, last: int = 50) -> Call[pv.TrendResult]:
    """Return one action over the last shots: durations, outcomes, median, spread and trend."""
    return result(make(p.Trend, tree=tree, path=path, last=last), pv.TrendResult)


def export(tree: str, shot: int, *, place: str = "") -> Call[pv.ExportResult]:
    """Return a piece of a shot's file; `next` of one is the `place` of the one that follows.

    `shotline.client.exports.shot_files.export_shot` writes the whole file.
    """
    return result(make(p.Export, tree=tree, shot=shot, place=place), pv.ExportResult)


def import_piece(upload: str, offset: int, data: bytes) -> Call[pv.ImportPieceResult]:
    """Send a piece of a shot's file; `exports.shot_files.import_shot` sends all of it."""
    return result(
        make(p.ImportPiece, upload=upload, offset=offset, data=data), pv.ImportPieceResult
    )


def import_shot(upload: str, size: int, sha256: str = "") -> Call[pv.ImportShotResult]:
    """Have a file that was sent checked and kept. Its shot is only looked at, never run."""
    return reading(make(p.ImportShot, upload=upload, size=size, sha256=sha256), pv.ImportShotResult)


def note(
    tree: str | None = None,
    shot: int | None = None,
    text: str = "",
    *,
    path: str | None = None,
    note: int | None = None,
    remove: bool = False,
) -> Call[pv.NoteResult]:
    """Write a note on a shot, or on one of its actions; with `note` change or remove that one."""
    asked = {"tree": tree, "shot": shot, "path": path, "note": note, "remove": remove}
    return result(make(p.WriteNote, text=text, **asked), pv.NoteResult)
