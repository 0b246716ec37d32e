"""Requests that read or remove stored shots, in pages, on the connection that commits use, too."""

from collections.abc import Callable
from typing import Final

import hiredis

from shotline.common.errors import JournalError
from shotline.common.records import Audited, ShotKey, ShotRecord, decode_record
from shotline.dispatcher.journal import (
    AuditRead,
    AuditTrimmed,
    ForgetShots,
    Forgotten,
    JournalEvent,
    JournalQuery,
    OutputRead,
    ReadAudit,
    ReadOutput,
    ReadShot,
    ShotRead,
    TrimAudit,
    failed,
    layout,
)
from shotline.dispatcher.journal.layout import CommitId, Entry, Keys, ShotKeys
from shotline.dispatcher.journal.link import Link, Reply, entries, pack, pack_script, pairs, texts
from shotline.dispatcher.journal.projection import FORGET_SCRIPT, OUTPUT_SCRIPT, forget_arguments

_ENTRIES: Final = 100  # of a journal per page: commits go in between
_PAGE_BYTES: Final = 1 << 18
_LOOKED_AT_MAX: Final = 3000

Query = Callable[["Exchange"], None]


class Exchange:
    """One query of the dispatcher on its way: sends on a link, ends in one event."""

    def __init__(
        self, asked: JournalQuery, link: Link, now: float, emit: Callable[[JournalEvent], None]
    ) -> None:
        self._asked = asked
        self._link = link
        self._now = now
        self._emit = emit
        self._answered = False

    def ask(self, packed: bytes, on_reply: Callable[[Reply], None]) -> None:
        """Send packed bytes; what goes wrong with the reply ends the query."""

        def receive(reply: Reply) -> None:
            try:
                on_reply(reply)
            except (JournalError, hiredis.HiredisError, ValueError) as error:
                self.end(failed(self._asked, str(error)))

        self._link.send_script(self._now, packed, receive)

    def end(self, event: JournalEvent) -> None:
        """Answer the query, once."""
        if not self._answered:
            self._answered = True
            self._emit(event)


def query_of(keys: Keys, asked: JournalQuery, term: int) -> Query:
    """Return how a query is carried out."""
    match asked:
        case ReadShot():
            return _read_shot(keys.of(asked.key), asked)
        case ReadOutput():
            return _read_output(keys.of(asked.key), asked)
        case ForgetShots():
            return _forget(keys, term, asked.keys)
        case ReadAudit():
            return _read_audit(keys.audit, asked)
        case TrimAudit():
            return _trim_audit(keys.audit, asked)


def _read_shot(keys: ShotKeys, asked: ReadShot) -> Query:
    """Read a shot's records and its outputs' sizes."""

    def query(exchange: Exchange) -> None:
        records: list[ShotRecord] = []

        def take(reply: Reply) -> None:
            page = entries(reply)
            records.extend(layout.parse_journal(asked.key, page))
            if len(page) == _ENTRIES:
                ask_page("(" + page[-1][0].decode())
            else:
                exchange.ask(pack("HGETALL", keys.outputs), finish)

        def ask_page(start: str) -> None:
            exchange.ask(pack("XRANGE", keys.journal, start, "+", "COUNT", _ENTRIES), take)

        def finish(reply: Reply) -> None:
            history = layout.readable_history(records)
            lines = layout.parse_outputs(pairs(reply))
            exchange.end(ShotRead(asked.query, history, lines))

        ask_page("-")

    return query


def _read_output(keys: ShotKeys, asked: ReadOutput) -> Query:
    """Read which attempts of an action have output, and a page of one of them."""
    wanted = range(asked.since, asked.since + asked.limit)

    def query(exchange: Exchange) -> None:
        def begin(reply: Reply) -> None:
            counts = layout.parse_outputs(pairs(reply))
            mine = {number: count for (path, number), count in counts.items() if path == asked.path}
            key = keys.output(asked.path, asked.attempt)
            arguments = (key, asked.since, asked.limit, _PAGE_BYTES)
            exchange.ask(pack_script(OUTPUT_SCRIPT, arguments), lambda reply: take(mine, reply))

        def take(counts: dict[int, int], reply: Reply) -> None:
            found = (line for piece in texts(reply) for line in layout.parse_piece(piece))
            lines = tuple(line.shown for line in found if line.number in wanted)
            more = bool(lines) and lines[-1].number + 1 < counts.get(asked.attempt, 0)
            attempts = tuple(sorted(counts))
            exchange.end(OutputRead(asked.query, asked.attempt, attempts, lines, more))

        exchange.ask(pack("HGETALL", keys.outputs), begin)

    return query


def _read_audit(stream: str, asked: ReadAudit) -> Query:
    """Read lines of the audit from the newest one back, as far as few enough are looked at."""
    least = CommitId.parse((asked.after or "0-0").encode())

    def query(exchange: Exchange) -> None:
        lines: list[Audited] = []
        size = looked_at = 0

        def take(reply: Reply) -> None:
            nonlocal size, looked_at
            page = entries(reply)
            for name, fields in page:
                if CommitId.parse(name) <= least:
                    end(None)
                    return
                looked_at += 1
                line = _line_of((name, fields))
                if line is not None and asked.wanted(line):
                    lines.append(line)
                    size += sum(map(len, fields))
                if len(lines) == asked.limit or size >= asked.bytes_max:
                    end(name.decode())
                    return
            if len(page) < _ENTRIES:
                end(None)
            elif looked_at >= _LOOKED_AT_MAX:
                end(page[-1][0].decode())
            else:
                ask_page("(" + page[-1][0].decode())

        def ask_page(newest: str) -> None:
            exchange.ask(pack("XREVRANGE", stream, newest, "-", "COUNT", _ENTRIES), take)

        def end(next_: str | None) -> None:
            exchange.end(AuditRead(asked.query, tuple(lines), next_))

        ask_page("+" if asked.before is None else "(" + asked.before)

    return query


def _line_of(entry: Entry) -> Audited | None:
    """Return a line of the audit; None for what somebody else has written there."""
    body = layout.field_of(entry, layout.LINE)
    try:
        record = None if body is None else decode_record(body)
    except ValueError:
        return None
    return record if isinstance(record, Audited) else None


def _trim_audit(stream: str, asked: TrimAudit) -> Query:
    """Remove what is too old, then what is too much, in whole pieces of Redis'."""

    def query(exchange: Exchange) -> None:
        def count(reply: Reply) -> None:
            refused(reply)
            exchange.ask(pack("XTRIM", stream, "MAXLEN", "~", asked.keep), end)

        def end(reply: Reply) -> None:
            refused(reply)
            exchange.end(AuditTrimmed())

        def refused(reply: Reply) -> None:
            if isinstance(reply, Exception):
                raise reply

        exchange.ask(pack("XTRIM", stream, "MINID", "~", asked.before), count)

    return query


def _forget(keys: Keys, term: int, shots: tuple[ShotKey, ...]) -> Query:
    """Remove shots, but for those that Redis knows as open, newest or current."""

    def query(exchange: Exchange) -> None:
        gone: list[ShotKey] = []

        def take(index: int, reply: Reply) -> None:
            if isinstance(reply, Exception):
                raise reply
            if reply == 1:
                gone.append(shots[index])
            next_one(index + 1)

        def next_one(index: int) -> None:
            if index == len(shots):
                exchange.end(Forgotten(tuple(gone)))
                return
            packed = pack_script(FORGET_SCRIPT, forget_arguments(keys, term, shots[index]))
            exchange.ask(packed, lambda reply: take(index, reply))

        next_one(0)

    return query
