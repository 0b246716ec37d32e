"""A shot as the lines of the file that keeps it, in pieces of text. Pure."""

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from shotline.common.base import to_json
from shotline.common.past.commands import Export
from shotline.common.past.shotfile import FORMAT, FileEntry, FileHead, OutputPart, head_view
from shotline.common.past.views import ExportResult
from shotline.common.records import ShotKey
from shotline.dispatcher.journal.layout import parse_piece
from shotline.dispatcher.past.cursor import BadCursor
from shotline.dispatcher.past.folding import Folds, Nowhere

PART_BYTES: Final = 32 * 1024  # of output in a line of a file


class Exporting:
    """Writes a shot; `version` is that of this Shotline."""

    def __init__(self, folds: Folds, version: str) -> None:
        self._folds = folds
        self._version = version

    def export(self, asked: Export, bytes_max: int, wall: float) -> ExportResult:
        """Return the next piece of a shot's file. Raise Nowhere, BadCursor."""
        key = ShotKey(asked.tree, asked.shot)
        place = _Place.parse(asked.place) if asked.place else self._begin(key)
        text: list[str] = []
        size = 0
        is_open = False
        for here, line in self._lines_from(key, place, wall):
            whole = line.decode() + "\n"
            offset = here.offset
            if offset == 0 and here.unit == "h":
                is_open = msgspec.json.decode(line)["state"] == "open"
            room = max(bytes_max - size, 1)
            text.append(whole[offset : offset + room])
            size += len(text[-1])
            if len(whole) > offset + room:
                rest = here._replace(offset=offset + room)
                return ExportResult(text="".join(text), next=str(rest), open=is_open)
        return ExportResult(text="".join(text), open=is_open)

    def content(self, key: ShotKey) -> str:
        """Return the SHA-256 of all but the head, as a file of this shot would have it."""
        digest = hashlib.sha256()
        for here, line in self._lines_from(key, self._begin(key), 0.0):
            if here.unit != "h":
                digest.update(line + b"\n")
        return digest.hexdigest()

    def lines(self, key: ShotKey, wall: float) -> Iterator[bytes]:
        """Yield all lines of a shot's file but the last, the head first. Raise Nowhere."""
        for _, line in self._lines_from(key, self._begin(key), wall):
            yield line

    def _begin(self, key: ShotKey) -> "_Place":
        if not self._folds.store.version(key):
            raise Nowhere(f"nothing is known of {key}")
        last = ""
        for entry in self._folds.store.entries(key):
            last = entry.id
        return _Place("h", last, "", 0, 0)

    def _lines_from(
        self, key: ShotKey, place: "_Place", wall: float
    ) -> Iterator[tuple["_Place", bytes]]:
        """Yield the lines of a shot's file from a place on: head, journal up to `last`, output."""
        last = place.last
        if place.unit == "h":
            yield place, to_json(self.head(key, last, wall))
        after = place.after if place.unit == "e" else ""
        if place.unit in ("h", "e"):
            offset = place.offset if place.unit == "e" else 0
            for entry in self._folds.store.entries(key, after) if last else ():
                line = to_json(FileEntry(id=entry.id, records=entry.records))
                yield _Place("e", last, after, 0, offset), line
                after, offset = entry.id, 0
                if entry.id == last:
                    break
        attempts = sorted(self._folds.store.outputs(key))
        first = int(place.after) if place.unit == "o" else 0
        for number, (path, attempt) in enumerate(attempts):
            if number < first:
                continue
            is_here = place.unit == "o" and number == first
            since, offset = (place.line, place.offset) if is_here else (0, 0)
            for begins, part in self._parts(key, path, attempt, since):
                yield _Place("o", last, str(number), begins, offset), to_json(part)
                offset = 0

    def _parts(
        self, key: ShotKey, path: str, attempt: int, since: int
    ) -> Iterator[tuple[int, OutputPart]]:
        """Yield an attempt's output in parts, each with its first line: always cut alike."""
        gathered: list[bytes] = []
        first, size = since, 0
        for piece in self._folds.store.output(key, path, attempt, since):
            lines = parse_piece(piece)
            if not lines:
                continue
            if not gathered:
                first = lines[0].number
            gathered.append(piece)
            size += len(piece)
            if size >= PART_BYTES:
                yield first, OutputPart.of(path, attempt, gathered)
                gathered, size = [], 0
        if gathered:
            yield first, OutputPart.of(path, attempt, gathered)

    def head(self, key: ShotKey, last: str, wall: float) -> FileHead:
        """Return the head of a shot's file."""
        shot = self._folds.fold(key).shot
        return FileHead(
            format=FORMAT,
            version=self._version,
            tree=key.tree,
            shot=key.shot,
            state="closed" if shot.open_run is None else "open",
            made_at=wall,
            last=last,
            view=head_view(self._folds.views.shot(shot)),
        )


class _Place(NamedTuple):
    """Where the lines of a shot's file go on: which part, which line of it, which character."""

    unit: str  # h: head, e: entries, o: outputs
    last: str  # id of the last entry
    after: str  # the entry before this one; of outputs: the number of the attempt
    line: int
    offset: int

    def __str__(self) -> str:
        return "|".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "_Place":
        try:
            unit, last, after, line, offset = text.split("|")
            found = cls(unit, last, after, int(line), int(offset))
            if unit not in ("h", "e", "o") or found.line < 0 or found.offset < 0:
                raise BadCursor
            if unit == "o":
                int(after)
        except ValueError:
            raise BadCursor from None
        return found
