"""Words in shots, and what has failed in them, from the newest shot back. Pure."""

from collections.abc import Iterator
from typing import Final

from shotline.common.actions import Cause, has_failed
from shotline.common.base import to_json
from shotline.common.past.commands import Failures, Search
from shotline.common.past.views import FailedAttempt, FailuresResult, Found, SearchResult
from shotline.common.records import NoteWritten, RunAborting, RunEnded, RunOpened, Transition
from shotline.dispatcher.journal.layout import parse_piece
from shotline.dispatcher.past.cursor import Cursor
from shotline.dispatcher.past.folding import (
    OUTPUT_BYTES_MAX,
    Folded,
    Folds,
    Looked,
    NotAnswered,
    matches,
)
from shotline.dispatcher.past.store import Stored, Unreadable

_TEXT_MAX: Final = 500


class Searching:
    """Looks for words and for failures."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds

    def failures(self, asked: Failures, bytes_max: int) -> FailuresResult:
        """Return the attempts that have failed, so many as fit."""
        looked, size = Looked(), 0
        found: list[FailedAttempt] = []
        for stored, cursor in self._folds.back(asked, looked):
            try:
                folded = self._folds.fold(stored.key, looked)
            except Unreadable as error:
                self._folds.unread(looked, stored, error)
                continue
            of_shot = list(_failures_of(folded, asked))
            for place, one in enumerate(of_shot):
                if place < cursor.line:
                    continue
                size += len(to_json(one))
                if found and (len(found) >= asked.limit or size > bytes_max):
                    looked.next = cursor._replace(line=place)
                    break
                found.append(one)
        return FailuresResult(failures=tuple(found), **looked.fields)  # type: ignore[arg-type]

    def search(self, asked: Search, bytes_max: int) -> SearchResult:
        """Return where the words are found, so many as fit. Raise NotAnswered."""
        looked, found = Looked(), _Finds(asked.limit, bytes_max)
        words = asked.words.casefold().split()
        if not words:
            raise NotAnswered("give the words to search for")
        places = asked.where or ("action", "server", "reason", "output", "note", "who")
        for stored, cursor in self._folds.back(asked, looked):
            try:
                looked.next = self._search_shot(stored, cursor, words, places, looked, found)
            except Unreadable as error:
                self._folds.unread(looked, stored, error)
        return SearchResult(found=tuple(found.taken), lines=found.lines, **looked.fields)  # type: ignore[arg-type]

    def _search_shot(
        self,
        stored: Stored,
        cursor: Cursor,
        words: list[str],
        places: tuple[str, ...],
        looked: Looked,
        found: "_Finds",
    ) -> Cursor | None:
        """Search one shot from the cursor on; return where to go on inside of it."""
        key = stored.key
        if cursor.unit == 0 and set(places) != {"output"}:
            told = _texts_of(self._folds.fold(key, looked))
            matching = (one for one in told if one.where in places and matches(one.text, words))
            for place, one in enumerate(matching):
                if place >= cursor.line and not found.take(one):
                    return cursor._replace(line=place)
        if "output" not in places:
            return None
        attempts = sorted(self._folds.store.outputs(key))
        for unit, (path, attempt) in enumerate(attempts, 1):
            if unit < cursor.unit:
                continue
            since = cursor.line if unit == cursor.unit else 0
            last = since - 1
            for piece in self._folds.store.output(key, path, attempt, since):
                looked.size += len(piece)
                for line in parse_piece(piece):
                    if line.number < since:
                        continue
                    found.lines += 1
                    text = line.shown.text
                    if matches(text, words) and not found.take(
                        Found(
                            tree=key.tree,
                            shot=key.shot,
                            where="output",
                            at=line.time,
                            text=_cut(text, words),
                            path=path,
                            attempt=attempt,
                            line=line.number,
                        )
                    ):
                        return Cursor(stored.at, key, unit, line.number)
                    last = line.number
                if looked.size >= OUTPUT_BYTES_MAX:
                    return Cursor(stored.at, key, unit, last + 1)
        return None


class _Finds:
    """What was found, as far as it goes into one answer."""

    def __init__(self, limit: int, bytes_max: int) -> None:
        self.taken: list[Found] = []
        self.lines = 0
        self._limit, self._room = limit, bytes_max

    def take(self, found: Found) -> bool:
        """Take one more; return False when it does not fit any more."""
        self._room -= len(to_json(found))
        if self.taken and (len(self.taken) >= self._limit or self._room < 0):
            return False
        self.taken.append(found)
        return True


def _cut(text: str, words: list[str]) -> str:
    """Return so much of a long line as shows the first of the words."""
    if len(text) <= _TEXT_MAX:
        return text
    at = max(text.casefold().find(words[0]) - _TEXT_MAX // 4, 0)
    return ("…" if at else "") + text[at : at + _TEXT_MAX] + "…"


def _failures_of(folded: Folded, asked: Failures) -> Iterator[FailedAttempt]:
    """Yield the failed attempts of a shot, the newest first."""
    shot = folded.shot
    failed: dict[tuple[str, int | None, int], Transition] = {}
    for record in folded.records:
        match record:
            case Transition(cause=Cause()) if has_failed(record.state, record.status):
                failed[record.path, record.run, record.attempt] = record
    for live in sorted(failed.values(), key=lambda one: (-one.time, one.path)):
        if asked.since is not None and live.time < asked.since:
            continue
        if asked.until is not None and live.time >= asked.until:
            continue
        now = shot.actions.get(live.path)
        node = shot.table.node(live.path) if live.path in shot.table else None
        run = shot.runs.get(live.run or 0)
        yield FailedAttempt(
            tree=shot.key.tree,
            shot=shot.key.shot,
            path=live.path,
            name=node.name if node is not None else live.path,
            phase=run.opened.phase if run is not None else node.phase if node is not None else "",
            run=live.run,
            attempt=live.attempt,
            state=live.state,
            status=live.status,
            cause=live.cause,
            reason=live.reason,
            code=live.code,
            server=live.server,
            at=live.time,
            duration_s=live.duration_s,
            since=_since_then(live, now),
        )


def _since_then(failed: Transition, now: Transition | None) -> str:
    if now is None or (now.run, now.attempt) == (failed.run, failed.attempt):
        return ""
    what = now.status.value if now.status is not None else now.state.value
    if now.attempt == failed.attempt:
        return f"{what} in run {now.run}" if now.run is not None else what
    return f"attempt {now.attempt}: {what}"


def _texts_of(folded: Folded) -> Iterator[Found]:
    """Yield what may be searched of a shot's records, each text once."""
    shot = folded.shot
    key = shot.key
    seen: set[tuple[str, str, str]] = set()

    def found(
        where: str, at: float, text: str, path: str = "", attempt: int | None = None
    ) -> Iterator[Found]:
        if text and (where, path, text) not in seen:
            seen.add((where, path, text))
            yield Found(
                tree=key.tree,
                shot=key.shot,
                where=where,  # type: ignore[arg-type]  # one of them
                at=at,
                text=text[:2000],
                path=path,
                attempt=attempt,
            )

    for path, live in shot.actions.items():
        yield from found("action", live.time, path, path)
    for record in folded.records:
        match record:
            case Transition():
                attempt = record.attempt or None
                yield from found("server", record.time, record.server or "", record.path, attempt)
                yield from found("reason", record.time, record.reason, record.path, attempt)
            case RunOpened():
                yield from found("who", record.time, record.who)
            case RunEnded() | RunAborting():
                yield from found("reason", record.time, record.reason)
            case NoteWritten() if shot.notes.get(record.note) == record and not record.removed:
                yield from found("note", record.time, record.text, record.path)
                yield from found("who", record.time, record.by)
