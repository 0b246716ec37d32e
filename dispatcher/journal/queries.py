"""Requests that read or remove stored shots, in pages, on the connection that commits use, too."""

from collections.abc import Callable
from typing import Final

import hiredis

from shotline.common.errors import JournalError
from shotline.common.records import ShotKey, ShotRecord
from shotline.dispatcher.journal import (
    AttemptsRead,
    Forgotten,
    JournalEvent,
    OutputRead,
    ReadFailed,
    ShotRead,
    layout,
)
from shotline.dispatcher.journal.layout import ShotKeys
from shotline.dispatcher.journal.link import Link, Reply, entries, pack, pack_script, pairs, texts
from shotline.dispatcher.journal.projection import FORGET_SCRIPT, OUTPUT_SCRIPT, forget_arguments

_ENTRIES: Final = 100  # of a journal per page: commits go in between
_PAGE_BYTES: Final = 1 << 18

Query = Callable[["Exchange"], None]


class Exchange:
    """One request of the dispatcher on its way: sends on a link, ends in one event."""

    def __init__(
        self, request: int, link: Link, now: float, emit: Callable[[JournalEvent], None]
    ) -> None:
        self.request = request
        self._link = link
        self._now = now
        self._emit = emit
        self._answered = False

    def ask(self, packed: bytes, on_reply: Callable[[Reply], None]) -> None:
        """Send packed bytes; what goes wrong with the reply ends the request."""

        def receive(reply: Reply) -> None:
            try:
                on_reply(reply)
            except (JournalError, hiredis.HiredisError, ValueError) as error:
                self.end(ReadFailed(self.request, str(error)))

        self._link.send_script(self._now, packed, receive)

    def end(self, event: JournalEvent) -> None:
        """Answer the request, once."""
        if not self._answered:
            self._answered = True
            self._emit(event)


def read_shot(shot: ShotKey) -> Query:
    """Read a shot's records and its outputs' sizes."""
    keys = ShotKeys.of(shot)

    def query(exchange: Exchange) -> None:
        records: list[ShotRecord] = []

        def take(reply: Reply) -> None:
            page = entries(reply)
            records.extend(layout.parse_journal(shot, page))
            if len(page) == _ENTRIES:
                ask_page("(" + page[-1][0].decode())
            else:
                exchange.ask(pack("HGETALL", keys.outputs), finish)

        def ask_page(start: str) -> None:
            exchange.ask(pack("XRANGE", keys.journal, start, "+", "COUNT", _ENTRIES), take)

        def finish(reply: Reply) -> None:
            history = layout.readable_history(records)
            lines = layout.parse_outputs(pairs(reply))
            exchange.end(ShotRead(exchange.request, shot, history, lines))

        ask_page("-")

    return query


def read_output(shot: ShotKey, path: str, attempt: int, since: int, limit: int) -> Query:
    """Read a page of an attempt's lines from number `since` on, at most `limit` of them."""
    keys = ShotKeys.of(shot)
    key = keys.output(path, attempt)

    def query(exchange: Exchange) -> None:
        def begin(reply: Reply) -> None:
            total = 0 if reply is None else int(texts([reply])[0])
            arguments = (key, since, limit, _PAGE_BYTES)
            exchange.ask(pack_script(OUTPUT_SCRIPT, arguments), lambda reply: take(total, reply))

        def take(total: int, reply: Reply) -> None:
            found = (line for piece in texts(reply) for line in layout.parse_piece(piece))
            lines = tuple(line for line in found if since <= line.number < since + limit)
            exchange.end(OutputRead(exchange.request, lines, total))

        exchange.ask(pack("HGET", keys.outputs, layout.attempt_name(path, attempt)), begin)

    return query


def attempts_with_output(shot: ShotKey, path: str) -> Query:
    """Read which attempts of an action have output."""

    def query(exchange: Exchange) -> None:
        def take(reply: Reply) -> None:
            lines = layout.parse_outputs(pairs(reply))
            mine = {attempt: count for (of, attempt), count in lines.items() if of == path}
            exchange.end(AttemptsRead(exchange.request, dict(sorted(mine.items()))))

        exchange.ask(pack("HGETALL", ShotKeys.of(shot).outputs), take)

    return query


def forget(term: int, shots: tuple[ShotKey, ...]) -> Query:
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
                exchange.end(Forgotten(exchange.request, tuple(gone)))
                return
            packed = pack_script(FORGET_SCRIPT, forget_arguments(term, shots[index]))
            exchange.ask(packed, lambda reply: take(index, reply))

        next_one(0)

    return query
