"""Answers what is asked about the past, out of a store, in bounded pieces of work. Pure.

Each answer looks at so many records and so many bytes of output, then says how far back it came.
"""

from typing import Final

import msgspec

from shotline.common import commands as c
from shotline.common.actions import has_failed
from shotline.common.base import to_json
from shotline.common.past.commands import (
    Compare,
    Export,
    Failures,
    FindShots,
    Search,
    Trend,
)
from shotline.common.past.views import TrendPoint, TrendResult
from shotline.common.records import ShotKey, Transition
from shotline.common.settings.configuration import Config
from shotline.common.views import AnyResult, FoundShotsResult, ShotView
from shotline.dispatcher.journal import OutputRead
from shotline.dispatcher.journal.layout import parse_piece
from shotline.dispatcher.past.comparing import Comparison
from shotline.dispatcher.past.cursor import BadCursor
from shotline.dispatcher.past.exporting import Exporting
from shotline.dispatcher.past.folding import Folds, Looked, NotAnswered, Nowhere, matches
from shotline.dispatcher.past.jobs import PastAsked, PastDone, PastJob
from shotline.dispatcher.past.numbers import course_of
from shotline.dispatcher.past.searching import Searching
from shotline.dispatcher.past.store import Store, Stored, Unreadable
from shotline.dispatcher.reading.paging import Page
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.table import LookupFailed

FILES_MAX: Final = 200  # that one trend reads


class Reader:
    """Answers out of one store."""

    def __init__(self, store: Store, version: str = "", config: Config | None = None) -> None:
        self.folds = Folds(store, config)
        self.searching = Searching(self.folds)
        self.exporting = Exporting(self.folds, version)
        self._store = store
        self._compared: tuple[tuple[str, str], Comparison] | None = None

    def answer(self, job: PastJob) -> PastDone:
        """Answer a job; whatever is wrong is said in words."""
        try:
            found = self._answer(job)
        except LookupFailed as error:
            return PastDone(job=job.job, error=str(error), unknown=True)
        except BadCursor:
            return PastDone(job=job.job, error="`before` is not what an answer had as `next`")
        except (NotAnswered, Unreadable) as error:
            return PastDone(job=job.job, error=str(error), unknown=isinstance(error, Nowhere))
        if isinstance(found, PastDone):
            return found
        if isinstance(found, Page):
            return PastDone(job=job.job, result=msgspec.Raw(found.data), is_last=found.is_last)
        return PastDone(job=job.job, result=msgspec.Raw(to_json(found)))

    def _answer(self, job: PastJob) -> AnyResult | Page | PastDone:
        asked: PastAsked = job.asked
        match asked:
            case FindShots():
                return self._find(asked, job.bytes_max)
            case Failures():
                return self.searching.failures(asked, job.bytes_max)
            case Search():
                return self.searching.search(asked, job.bytes_max)
            case Compare():
                return self._compare(asked, job.bytes_max)
            case Trend():
                return self._trend(asked)
            case Export():
                return self.exporting.export(asked, job.bytes_max, job.wall)
            case c.Actions() | c.Show() | c.Logs() | c.Check():
                return self._of_shot(asked, job)
            case _:
                raise NotAnswered(f"{asked.verb} is not answered here")

    def _find(self, asked: FindShots, bytes_max: int) -> FoundShotsResult:
        looked, size = Looked(), 0
        found: list[ShotView] = []
        words = asked.words.casefold().split()
        for stored, cursor in self.folds.back(asked, looked):
            if asked.kept and not stored.kept:
                continue
            try:
                view = self.folds.summary(stored, looked)
            except Unreadable as error:
                self.folds.unread(looked, stored, error)
                continue
            if not _is_wanted(asked, view, words):
                continue
            size += len(to_json(view))
            if found and (len(found) >= asked.limit or size > bytes_max):
                looked.next = cursor
                continue
            found.append(view)
        return FoundShotsResult(shots=tuple(found), **looked.fields)  # type: ignore[arg-type]

    # Comparing, and one action over many shots

    def _compare(self, asked: Compare, bytes_max: int) -> Page:
        left, right = self.folds.key_of(asked.left), self.folds.key_of(asked.right)
        folded = self.folds.fold(left), self.folds.fold(right)
        about = (f"{left} {folded[0].version}", f"{right} {folded[1].version}")
        if self._compared is None or self._compared[0] != about:
            self._compared = (about, Comparison(folded[0].shot, folded[1].shot))
        heads = None
        if asked.since == 0:
            heads = (
                self.folds.summary(self.folds.stored(left)),
                self.folds.summary(self.folds.stored(right)),
            )
        return self._compared[1].page(asked, bytes_max, heads)

    def _trend(self, asked: Trend) -> TrendResult:
        mine = [one for one in self._store.shots() if one.key.tree == asked.tree]
        mine.sort(key=lambda one: -one.key.shot)
        if not mine:
            raise Nowhere(f"no shot of {asked.tree} is known")
        path, name = self._path_of(asked, mine)
        points: list[TrendPoint] = []
        looked = files = 0
        for stored in mine[: asked.last * 4]:
            files += bool(stored.kept)
            if len(points) == asked.last or files > FILES_MAX:
                break
            looked += 1
            live = self._store.last(stored.key, path)
            if live is not None and live.cause is not None and live.attempt:
                points.append(_point(stored, live))
        points.reverse()
        good = [one.duration_s for one in points if not one.failed]
        measured = [duration for duration in good if duration is not None]
        course = course_of(measured)
        said: dict[str, object] = {} if course is None else course._asdict()
        return TrendResult(
            tree=asked.tree,
            path=path,
            name=name,
            points=tuple(points),
            looked_at=looked,
            measured=len(measured),
            words=_trend_words(measured, said),
            **said,  # type: ignore[arg-type]
        )

    def _path_of(self, asked: Trend, shots: list[Stored]) -> tuple[str, str]:
        """Return the action's path and name, as the newest shot that has it declares it."""
        problem: Exception | None = None
        for stored in shots[:5]:
            shot = self.folds.fold(stored.key).shot
            try:
                path = shot.table.find(asked.path)
            except LookupFailed as error:
                problem = problem or error
                continue
            return path, shot.table.node(path).name
        assert problem is not None
        raise problem

    def _of_shot(self, asked: c.Actions | c.Show | c.Logs | c.Check, job: PastJob) -> PastDone:
        """Answer about a shot that only a file has, as the dispatcher does about its own."""
        key = ShotKey(asked.tree or "", asked.shot or 0)
        folded = self.folds.fold(key)
        shot, views = folded.shot, self.folds.views
        notices = (f"{key} is {self.folds.stored(key).words}; it is only looked at",)
        match asked:
            case c.Actions():
                phase = asked.phase and shot.table.find_phase(asked.phase)
                found = views.actions(shot, phase, asked.since)
            case c.Show():
                found = views.story(shot, shot.table.find(asked.path), folded.records, asked.since)
            case c.Check():
                if asked.reset:
                    raise NotAnswered(f"{key} is kept in a file and only looked at")
                found = views.failures(shot, asked.since)
            case _:
                found = self._logs(shot, asked)
        failed = isinstance(asked, c.Check) and bool(shot.essential_failures)
        return PastDone(
            job=job.job,
            result=msgspec.Raw(found.data),
            is_last=found.is_last,
            notices=notices,
            failed=failed,
        )

    def _logs(self, shot: Shot, asked: c.Logs) -> Page:
        path = shot.table.find(asked.path)
        attempt = asked.attempt or shot.attempts.get(path, 0)
        counts = {number: lines for (one, number), lines in shot.lines.items() if one == path}
        lines, size = [], 0
        for piece in self._store.output(shot.key, path, attempt, asked.since):
            lines += [one.shown for one in parse_piece(piece) if one.number >= asked.since]
            size += len(piece)
            if len(lines) >= asked.limit or size >= self.folds.core.page_bytes:
                break
        taken = tuple(lines[: asked.limit])
        more = bool(taken) and taken[-1].number + 1 < counts.get(attempt, 0)
        read = OutputRead(0, attempt, tuple(sorted(counts)), taken, more)
        return self.folds.views.output(shot, path, read, asked.limit)


def _is_wanted(asked: FindShots, view: ShotView, words: list[str]) -> bool:
    if asked.failed and not any(one.counts.failed or one.counts.server_off for one in view.runs):
        return False
    if asked.noted and not any(not note.removed for note in view.notes):
        return False
    if not words:
        return True
    said = [f"{view.tree}/{view.shot}", *view.phases, view.kept, view.kept_words]
    said += [run.who for run in view.runs]
    said += [f"{note.text} {note.by}" for note in view.notes]
    return matches("\n".join(said), words)


def _point(stored: Stored, live: Transition) -> TrendPoint:
    return TrendPoint(
        shot=stored.key.shot,
        at=live.ended_at if live.ended_at is not None else live.time,
        state=live.state,
        status=live.status,
        failed=has_failed(live.state, live.status),
        reason=live.reason,
        attempt=live.attempt,
        server=live.server,
        duration_s=live.duration_s,
        kept=bool(stored.kept),
    )


def _trend_words(measured: list[float], said: dict[str, object]) -> str:
    if not measured:
        return "it has not ended well in any of these shots"
    trend, slope, middle = said["trend"], said["slope_s"], said["median_s"]
    assert isinstance(slope, float | int)
    assert isinstance(middle, float | int)
    if trend == "unknown":
        return f"{len(measured)} durations are too few for a trend"
    if trend == "steady":
        return "no trend: it takes as long as before"
    over = abs(slope) * (len(measured) - 1)
    percent = f", {100 * over / middle:.0f} % of its median" if middle else ""
    return f"it takes {trend}: by about {over:.3g} s over {len(measured)} shots{percent}"
