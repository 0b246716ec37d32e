"""What a watcher remembers over its own end: which files it has announced, and what is unsent.

One SQLite file for all of its volumes. What is to be announced gets its number here, in the
transaction that remembers the file, before anybody hears of it: so that it is announced once.
"""

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shotline.common.base import to_json
from shotline.common.volumes.files import FileSeen
from shotline.common.volumes.records import FileKeptOut
from shotline.volumes.watcher.candidates import Look

_FORM: Final = 1
_NAMES_MAX: Final = 500  # asked for at a time
_TABLES: Final = """
CREATE TABLE volumes (
  volume TEXT PRIMARY KEY, memory TEXT NOT NULL, number INTEGER NOT NULL, root TEXT NOT NULL,
  scanned INTEGER NOT NULL);
CREATE TABLE files (
  volume TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL, size_b INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
  at REAL NOT NULL, PRIMARY KEY (volume, folder, name)) WITHOUT ROWID;
CREATE INDEX kept_out ON files (volume) WHERE state = 'kept_out';
CREATE TABLE outbox (
  place INTEGER PRIMARY KEY AUTOINCREMENT, volume TEXT NOT NULL, number INTEGER NOT NULL,
  path TEXT NOT NULL, body BLOB NOT NULL, for_group TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX of_volume ON outbox (volume, place);
CREATE TABLE orders (id TEXT PRIMARY KEY, volume TEXT NOT NULL, said TEXT NOT NULL);
"""
_LATER_TABLES: Final = """
CREATE TABLE IF NOT EXISTS begun (
  id TEXT PRIMARY KEY, volume TEXT NOT NULL, number INTEGER NOT NULL);
"""


class Known(StrEnum):
    """What is known of a file."""

    ANNOUNCED = "announced"
    IGNORED = "ignored"  # it was there before; a scan that is ordered announces it
    KEPT_OUT = "kept_out"  # it could not be read


class Row(NamedTuple):
    """A file that is known."""

    name: str
    look: Look
    state: Known
    number: int


class Unsent(NamedTuple):
    """Something that the dispatcher is to hear. With a number it is announced, else it is gone."""

    place: int
    number: int
    path: str
    file: FileSeen | None
    group: str
    reason: str


class Memory:
    """The file. Raise sqlite3.Error where it cannot be used."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A number that was heard of must not be given again after a power cut.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA cache_size = -20000")
        (form,) = self._db.execute("PRAGMA user_version").fetchone()
        if form == 0:
            with self._whole():
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_FORM}")
        elif form != _FORM:
            raise sqlite3.DatabaseError(f"{path} is of another version ({form})")
        self._db.execute(_LATER_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # Volumes

    def begin(self, volume: str) -> bool:
        """Know a volume from now on. Return whether it was not known before."""
        made = self._db.execute(
            "INSERT OR IGNORE INTO volumes VALUES (?, ?, 0, '', 0)", (volume, uuid.uuid4().hex)
        )
        return made.rowcount > 0

    def life(self, volume: str) -> tuple[str, int]:
        """Return the name of this memory of a volume, and the last number that was given."""
        memory, number = self._db.execute(
            "SELECT memory, number FROM volumes WHERE volume = ?", (volume,)
        ).fetchone()
        return str(memory), int(number)

    def root(self, volume: str) -> tuple[str, bool]:
        """Return which folder was last seen there, and whether it was scanned once."""
        root, scanned = self._db.execute(
            "SELECT root, scanned FROM volumes WHERE volume = ?", (volume,)
        ).fetchone()
        return str(root), bool(scanned)

    def set_root(self, volume: str, root: str) -> None:
        """Remember which folder is there."""
        self._db.execute("UPDATE volumes SET root = ? WHERE volume = ?", (root, volume))

    def set_scanned(self, volume: str) -> None:
        """Remember that all of it was looked at once."""
        self._db.execute("UPDATE volumes SET scanned = 1 WHERE volume = ?", (volume,))

    def go_behind(self, volume: str, number: int) -> None:
        """Give only numbers above this one: an older copy of this memory does not know of it."""
        self._db.execute(
            "UPDATE volumes SET number = max(number, ?) WHERE volume = ?", (number, volume)
        )

    def begin_anew(self, volume: str, heard: int) -> None:
        """Count from the beginning under another name; the ledger has lost what it had heard.

        What was announced behind `heard` is found again by the next scan.
        """
        with self._whole():
            self._db.execute(
                "UPDATE volumes SET memory = ?, number = 0 WHERE volume = ?",
                (uuid.uuid4().hex, volume),
            )
            self._db.execute(
                "DELETE FROM files WHERE volume = ? AND state = 'announced' AND number > ?",
                (volume, heard),
            )
            self._db.execute("UPDATE files SET number = 0 WHERE volume = ?", (volume,))
            self._db.execute("DELETE FROM outbox WHERE volume = ?", (volume,))

    # Files

    def known(self, volume: str, folder: str, names: Sequence[str]) -> dict[str, Row]:
        """Return what is known of files of a folder."""
        found = {}
        for start in range(0, len(names), _NAMES_MAX):
            some = names[start : start + _NAMES_MAX]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(
                "SELECT name, size_b, mtime_ns, state, number FROM files "
                f"WHERE volume = ? AND folder = ? AND name IN ({marks})",  # marks
                (volume, folder, *some),
            )
            for name, size_b, mtime_ns, state, number in rows:
                found[name] = Row(name, Look(size_b, mtime_ns), Known(state), number)
        return found

    def count(self, volume: str, folder: str | None = None) -> int:
        """Return how many files are known, of one folder or of all."""
        where, given = ("", (volume,)) if folder is None else (" AND folder = ?", (volume, folder))
        query = f"SELECT count(*) FROM files WHERE volume = ?{where}"  # ours
        (found,) = self._db.execute(query, given).fetchone()
        return int(found)

    def names(self, volume: str, folder: str, after: str, limit: int) -> list[str]:
        """Return names that are known of a folder, in their order."""
        rows = self._db.execute(
            "SELECT name FROM files WHERE volume = ? AND folder = ? AND name > ? "
            "ORDER BY name LIMIT ?",
            (volume, folder, after, limit),
        )
        return [name for (name,) in rows]

    def folders(self, volume: str, after: str, limit: int) -> list[str]:
        """Return folders in which files are known, in their order."""
        found: list[str] = []
        while len(found) < limit:
            row = self._db.execute(
                "SELECT folder FROM files WHERE volume = ? AND folder > ? ORDER BY folder LIMIT 1",
                (volume, after),
            ).fetchone()
            if row is None:
                break
            after = str(row[0])
            found.append(after)
        return found

    def some(self, volume: str, limit: int) -> list[str]:
        """Return the paths of some files that are known."""
        rows = self._db.execute(
            "SELECT folder, name FROM files WHERE volume = ? LIMIT ?", (volume, limit)
        )
        return [joined(folder, name) for folder, name in rows]

    def kept_out(self, volume: str, limit: int) -> list[FileKeptOut]:
        """Return the files that could not be read."""
        rows = self._db.execute(
            "SELECT folder, name, size_b, mtime_ns, reason, at FROM files "
            "WHERE volume = ? AND state = 'kept_out' LIMIT ?",
            (volume, limit),
        )
        return [
            FileKeptOut(
                path=joined(folder, name),
                generation=Look(size_b, mtime_ns).generation,
                reason=reason,
                at=at,
            )
            for folder, name, size_b, mtime_ns, reason, at in rows
        ]

    # What is to be told

    def announce(
        self, volume: str, files: Iterable[tuple[FileSeen, Look]], at: float, group: str = ""
    ) -> None:
        """Remember files as announced, and let them be told; `group`: only to this one."""
        with self._whole():
            _, number = self.life(volume)
            for file, look in files:
                number += 1
                self._put(volume, file.path, look, Known.ANNOUNCED, number, "", at)
                self._db.execute(
                    "INSERT INTO outbox VALUES (NULL, ?, ?, ?, ?, ?, '')",
                    (volume, number, file.path, to_json(file), group),
                )
            self._db.execute("UPDATE volumes SET number = ? WHERE volume = ?", (number, volume))

    def note(
        self, volume: str, files: Iterable[tuple[str, Look, str]], state: Known, at: float
    ) -> None:
        """Remember files that are not announced, and why."""
        with self._whole():
            for path, look, reason in files:
                self._put(volume, path, look, state, 0, reason, at)

    def _put(
        self, volume: str, path: str, look: Look, state: Known, number: int, reason: str, at: float
    ) -> None:
        folder, name = split(path)
        self._db.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (volume, folder, name, look.size_b, look.mtime_ns, state.value, number, reason, at),
        )

    def gone(self, volume: str, paths: Iterable[str], reason: str) -> int:
        """Forget files, and let it be told of those that were announced. Return how many."""
        count = 0
        with self._whole():
            for path in paths:
                folder, name = split(path)
                row = self._db.execute(
                    "DELETE FROM files WHERE volume = ? AND folder = ? AND name = ? "
                    "RETURNING state",
                    (volume, folder, name),
                ).fetchone()
                if row is None:
                    continue
                count += 1
                if row[0] != Known.KEPT_OUT:
                    self._db.execute(
                        "INSERT INTO outbox VALUES (NULL, ?, 0, ?, x'', '', ?)",
                        (volume, path, reason),
                    )
        return count

    def unsent(self, volume: str, limit: int) -> list[Unsent]:
        """Return what is to be told first: announcements for the same group, or files gone."""
        found: list[Unsent] = []
        rows = self._db.execute(
            "SELECT place, number, path, body, for_group, reason FROM outbox WHERE volume = ? "
            "ORDER BY place LIMIT ?",
            (volume, limit),
        )
        for place, number, path, body, group, reason in rows:
            file = msgspec.json.decode(body, type=FileSeen) if body else None
            one = Unsent(place, number, path, file, group, reason)
            if found and ((found[0].file is None) != (file is None) or found[0].group != group):
                break
            found.append(one)
        return found

    def count_unsent(self, volume: str) -> int:
        """Return how much is to be told."""
        query = "SELECT count(*) FROM outbox WHERE volume = ?"
        (found,) = self._db.execute(query, (volume,)).fetchone()
        return int(found)

    def sent(self, volume: str, place: int) -> None:
        """Forget what was told, up to a place."""
        self._db.execute("DELETE FROM outbox WHERE volume = ? AND place <= ?", (volume, place))

    # Orders

    def taken(self, volume: str) -> dict[str, str]:
        """Return the orders that were carried out and not told of yet, and what came of them."""
        query = "SELECT id, said FROM orders WHERE volume = ?"
        return dict(self._db.execute(query, (volume,)).fetchall())

    def begin_order(self, volume: str, order: str) -> int:
        """Return the last number that was given when an order was begun, now or in another life.

        What has a higher one was announced since then: by this order, or as it came.
        """
        _, number = self.life(volume)
        self._db.execute("INSERT OR IGNORE INTO begun VALUES (?, ?, ?)", (order, volume, number))
        query = "SELECT number FROM begun WHERE id = ?"
        (begun,) = self._db.execute(query, (order,)).fetchone()
        return int(begun)

    def take(self, volume: str, order: str, said: str) -> None:
        """Remember that an order was carried out."""
        self._db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (order, volume, said))

    def forget_orders(self, volume: str, still: Iterable[str]) -> None:
        """Forget the orders of which it was told; `still` are those that stand."""
        stand = set(still)
        query = "SELECT id FROM begun WHERE volume = ?"
        for (order,) in self._db.execute(query, (volume,)).fetchall():
            if order not in stand:
                self._db.execute("DELETE FROM begun WHERE id = ?", (order,))
        for order in self.taken(volume):
            if order not in stand:
                self._db.execute("DELETE FROM orders WHERE id = ?", (order,))


def split(path: str) -> tuple[str, str]:
    """Return a path's folder, empty for the volume's own, and its name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{folder}/{name}" if folder else name
