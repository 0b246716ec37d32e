"""Shots in Redis, read on a connection of its own that writes nothing. Everything here blocks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from shotline.common.errors import JournalError
from shotline.common.records import Record, ShotKey, Transition, decode_record
from shotline.common.redis.connection import REDIS_ERRORS
from shotline.common.settings.sections.redis import RedisSection
from shotline.dispatcher.journal import layout
from shotline.dispatcher.journal.dialing import Dialer
from shotline.dispatcher.journal.layout import Keys
from shotline.dispatcher.journal.link import (
    Connection,
    ask,
    ask_script,
    entries,
    pairs,
    text,
    texts,
)
from shotline.dispatcher.journal.projection import OUTPUT_SCRIPT
from shotline.dispatcher.past.store import JournalEntry, Stored, Unreadable

T = TypeVar("T")

_ENTRIES: Final = 100  # of a journal at a time: commits go in between
_LINES: Final = 2000
_PAGE_BYTES: Final = 1 << 18


class RedisStore:
    """The shots of one Redis; a broken connection is made anew with the next question."""

    def __init__(self, redis: RedisSection) -> None:
        self._dialer = Dialer(redis)
        self._keys = Keys(redis.key_prefix)
        self._connection: Connection | None = None

    def _ask(self, question: Callable[[Connection], T]) -> T:
        """Ask Redis; once more where the connection had broken meanwhile."""
        for is_last in (False, True):
            try:
                if self._connection is None:
                    with self._dialer.session("failed while it was read") as made:
                        self._connection = made
                return question(self._connection)
            except REDIS_ERRORS as error:
                self.close()
                if is_last:
                    raise Unreadable(f"{self._dialer.name} cannot be read now: {error}") from error
            except JournalError as error:
                raise Unreadable(str(error)) from error
        raise AssertionError

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def shots(self) -> Sequence[Stored]:
        """Return all shots."""
        found = self._ask(
            lambda redis: pairs(ask(redis, "ZRANGE", self._keys.shots, 0, -1, "WITHSCORES"))
        )
        return [Stored(float(at), layout.shot_name(name)) for name, at in found]

    def version(self, key: ShotKey) -> str:
        """Return the id of the journal's last entry; of a shot that has only output, how much."""
        own = self._keys.of(key)
        last = self._ask(
            lambda redis: entries(ask(redis, "XREVRANGE", own.journal, "+", "-", "COUNT", 1))
        )
        if last:
            return last[0][0].decode()
        counts = self._ask(lambda redis: pairs(ask(redis, "HGETALL", own.outputs)))
        return f"0-0 {sum(int(lines) for _, lines in counts)}" if counts else ""

    def entries(self, key: ShotKey, after: str = "") -> Iterator[JournalEntry]:
        """Yield the entries of a shot's journal."""
        stream = self._keys.of(key).journal
        start = f"({after}" if after else "-"
        while True:
            at = start
            page = self._ask(
                lambda redis, at=at: entries(  # type: ignore[misc]
                    ask(redis, "XRANGE", stream, at, "+", "COUNT", _ENTRIES)
                )
            )
            for entry in page:
                try:
                    records = layout.parse_journal(key, [entry])
                except JournalError as error:
                    raise Unreadable(str(error)) from error
                yield JournalEntry(entry[0].decode(), tuple(records))
            if len(page) < _ENTRIES:
                return
            start = "(" + page[-1][0].decode()

    def outputs(self, key: ShotKey) -> Mapping[tuple[str, int], int]:
        """Return the stored lines of each attempt."""
        name = self._keys.of(key).outputs
        return layout.parse_outputs(self._ask(lambda redis: pairs(ask(redis, "HGETALL", name))))

    def output(self, key: ShotKey, path: str, attempt: int, since: int) -> Iterator[bytes]:
        """Yield pieces of an attempt's output."""
        name = self._keys.of(key).output(path, attempt)
        while True:
            arguments = (name, since, _LINES, _PAGE_BYTES)
            pieces = self._ask(
                lambda redis, arguments=arguments: texts(  # type: ignore[misc]
                    ask_script(redis, OUTPUT_SCRIPT, arguments)
                )
            )
            following = since
            for piece in pieces:
                lines = layout.parse_piece(piece)
                if lines and lines[-1].number >= following:
                    following = lines[-1].number + 1
                    yield piece
            if following == since:
                return
            since = following

    def last(self, key: ShotKey, path: str) -> Transition | None:
        """Return an action's last transition, as the hash for people has it."""
        name = self._keys.of(key).actions
        body = self._ask(lambda redis: ask(redis, "HGET", name, path))
        if body is None:
            return None
        try:
            record: Record = decode_record(text(body))
        except ValueError:
            return None
        return record if isinstance(record, Transition) else None
