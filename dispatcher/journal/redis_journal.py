"""The journal in Redis and, while that is away, in the spill file: the shell (DESIGN I4, I9).

One commit is pending at a time. It goes to Redis; when Redis is away, to the spill file, unless our
term is in doubt (`standing`); when neither takes it, it waits and both are tried again. When Redis
is back it first gets what it has lost, then what the spill file holds, then the pending commit. The
disk and the connecting are in threads of their own; everything else is in the dispatcher's loop and
never blocks.
"""

import contextlib
import os
import secrets
import selectors
import socket
from collections import deque
from enum import Enum, auto
from math import inf
from typing import Final

import hiredis

from shotline.common.base import Value
from shotline.common.errors import ConfigError, JournalError
from shotline.common.machine import recurs_at
from shotline.common.process.clocks import elapsed_s
from shotline.common.redis.connection import REDIS_ERRORS
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.common.views import JournalState
from shotline.dispatcher.journal import (
    ForgetShots,
    HistoryLost,
    JournalChanged,
    JournalEvent,
    JournalQuery,
    Loaded,
    PlaceAsked,
    TermPassed,
    Where,
    Written,
    failed,
    loading,
    queries,
)
from shotline.dispatcher.journal.commit import EncodedCommit, pack_commit, unpack_commit
from shotline.dispatcher.journal.confirmed import CommitRequest, Confirmed
from shotline.dispatcher.journal.dialing import Dialer
from shotline.dispatcher.journal.disk import Disk, DiskResult
from shotline.dispatcher.journal.layout import CommitId, Keys
from shotline.dispatcher.journal.link import (
    Connection,
    Link,
    Reply,
    entries,
    items,
    last_id,
    pack,
    pack_script,
    process_of,
    text,
)
from shotline.dispatcher.journal.projection import COMMIT_SCRIPT
from shotline.dispatcher.journal.recent import RecentCommits
from shotline.dispatcher.journal.standing import Holder, Standing, Succession
from shotline.dispatcher.journal.worker import Failed, Worker

KEEP_S: Final = 10.0
"""Commits of this long are kept in memory: with `everysec` a crash of Redis loses about two."""

KEEP_BYTES_MAX: Final = 32 * 1024 * 1024

_FIRST_RETRY_S: Final = 0.1
_BACKLOG_BYTES: Final = 1 << 20  # more than this and a new commit goes to the file, too


class _At(Enum):
    """Where the pending commit is."""

    NOWHERE = auto()
    DISK = auto()  # handed to the disk's thread
    REDIS = auto()  # sent, not answered yet


class _Connected(Value):
    """A new connection, the last commit that Redis has, and which process of it that is."""

    connection: Connection
    last: CommitId
    process: bytes = b""


class _Named(Value):
    """Where the Sentinels say that the master is; None: they do not say now."""

    master: tuple[str, int] | None


class RedisJournal:
    """The dispatcher's journal. One thread uses it; after `load` no call ever blocks.

    Watch `fileno()` for reading (it stays the same for the journal's life, whatever happens to
    connections) and call `poll` when it is readable or `wake_at` has come. Start:

        loaded = journal.load()                # blocks; replays the spill file, claims a term
        term = journal.claim_term(above)       # only if the servers know of a higher term
        journal.write(now, encode_commit(Commit(loaded.term, 1, …)))
        events = journal.poll(now)             # Written(1, Where.REDIS)

    The numbers of a term's commits begin with 1 and rise by one. One commit is in flight: the next
    `write` comes after its Written. `now` is monotonic seconds.
    """

    def __init__(
        self,
        redis: RedisSection,
        journal: JournalSection,
        commands_max: int,
        *,
        keep_s: float = KEEP_S,
        keep_bytes_max: int = KEEP_BYTES_MAX,
    ) -> None:
        self._redis = redis
        self._dialer = Dialer(redis)
        self._commands_max = commands_max
        self._claimed_by = f"{socket.gethostname()} pid {os.getpid()}"
        self._name = f"{self._claimed_by} {secrets.token_hex(4)}"  # of this life of it alone
        self._keys = Keys(redis.key_prefix)
        recent = RecentCommits(keep_s, keep_bytes_max)
        self._confirmed = Confirmed(self._keys, self._claimed_by, recent)
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._standing = Standing(redis)
        self._succession: Succession | None = None  # from when the spill file is ours
        self._holds: Holder | None = None
        self._asked_by = ""  # who has asked for our place
        self._ask_at = 0.0  # when Redis is asked again whether our term stands
        self._asking = False
        self._disk = Disk(journal.spill_file, journal.spill_bytes_max, redis.retry_s, self._notify)
        self._connector: Worker[_Connected | _Named] = Worker(
            "journal-connect", self._notify, (*REDIS_ERRORS, JournalError, ConfigError)
        )
        self._link: Link | None = None
        self._connecting = False  # or asking the Sentinels
        self._retry_at = 0.0
        self._look_at = 0.0  # when the Sentinels are asked again whether they name another master
        self._sent: CommitRequest | None = None
        self._lost = ""  # what Redis has lost, until it has what is known of it
        self._process = b""  # of Redis, that we are connected to
        self._vouches = False  # what Redis has from us is all that is known
        self._pending: EncodedCommit | None = None
        self._pending_at = _At.NOWHERE
        self._redis_trouble = ""
        self._now = 0.0
        self._queries: deque[JournalQuery] = deque()
        self._events: list[JournalEvent] = []
        self._state = JournalState.OK
        self._text = ""
        self._superseded = False

    # Start

    def load(self) -> Loaded:
        """Lock the spill file, connect, write what the file holds, claim a term, read.

        A dispatcher before this one that is not proven to have ended is first asked to leave: until
        then each try fails. The term is above all that Redis and the spill file know. Raise
        JournalError, in words for the operator, when one of these steps fails: then all of it may
        be tried again, whatever was wrong. The lock is kept meanwhile; a password file is read at
        each try. It blocks.
        """
        spill = self._disk.open()
        if self._succession is None:
            self._succession = Succession(self._redis, self._name, spill.name())
        with self._dialer.session("failed while it was read") as connection:
            warnings = loading.warnings_about(connection, self._redis)
            self._process = process_of(connection)
            if not self._process:
                warnings.append(loading.NO_PROCESS)
            loading.ask_for_place(
                connection,
                self._keys,
                self._succession,
                self._elapsed(),
                self._process,
                self._confirmed.term,
            )
            may_lack_end = loading.may_lack_end(connection, self._keys, self._process)
            spilled, notes = loading.write_spilled(connection, self._keys, spill)
            above = max(spilled, loading.highest_journal_term(connection, self._keys))
            self._claim(connection, above)
            loaded = loading.read_everything(
                connection,
                self._keys,
                self._confirmed.term,
                self._commands_max,
                warnings + notes,
                may_lack_end=may_lack_end,
            )
            self._confirmed.knows(loading.keys_there(connection, self._keys, loaded.shots))
        self._take_link(connection)
        return loaded

    def claim_term(self, above: int) -> int:
        """Claim and return a term higher than `above` and the present one. Blocks.

        From then on commits of lower terms are refused. Only between `load` and the first `write`.
        Raise JournalError when Redis is not reachable.
        """
        if self._pending is not None or self._confirmed.last.number or self._disk.file.size:
            raise JournalError("a term is claimed before the first commit only")
        with self._dialer.session("did not take the term") as connection:
            self._claim(connection, max(above, self._confirmed.term))
            connection.disconnect()
        return self._confirmed.term

    def _claim(self, connection: Connection, above: int) -> None:
        # A start that is tried again has its term already.
        term = self._confirmed.term
        if term <= above or last_id(connection, self._keys.commits) != CommitId(term, 0):
            self._confirmed.claimed(*loading.claim(connection, self._keys, above, self._claimed_by))
        assert self._succession is not None
        spill = self._succession.spill
        self._holds = Holder(self._confirmed.term, spill, self._claimed_by)
        loading.take_place(connection, self._keys, self._holds, self._name)

    # What the dispatcher calls

    def fileno(self) -> int:
        """Return the descriptor to watch for reading."""
        return self._selector.fileno()

    def wake_at(self) -> float | None:
        """Return when `poll` must be called at the latest (monotonic), None: no need."""
        if self._events or self._queries:
            return 0.0
        if self._superseded:
            return None
        due = inf
        if self._link is None:
            if not self._connecting:
                due = self._retry_at
        else:
            silent_since = self._link.silent_since()
            if silent_since is not None:
                due = silent_since + self._redis.timeout_s
            if not self._asking:
                due = min(due, self._ask_at)
            if self._dialer.asks_sentinels and not self._connecting:
                due = min(due, self._look_at)
        is_nowhere = self._pending is not None and self._pending_at is _At.NOWHERE
        if is_nowhere and self._disk.trouble and self._spills:
            due = min(due, self._disk.retry_at)
        return None if due == inf else due

    def write(self, now: float, commit: EncodedCommit) -> None:
        """Begin to write a commit; Written follows from `poll`, perhaps much later (I9)."""
        if self._pending is not None:
            raise JournalError("one commit is in flight at a time")
        self._wakes(now)
        self._pending, self._pending_at = commit, _At.NOWHERE
        self._advance(now)
        self._watch_link()

    def poll(self, now: float) -> list[JournalEvent]:
        """Do all that can be done without blocking and return what has happened."""
        self._wakes(now)
        for key, mask in self._selector.select(0):
            if key.fileobj is self._woken:
                self._drain_wake()
            elif self._link is not None:
                if mask & selectors.EVENT_WRITE:
                    self._link.flush(now)
                if mask & selectors.EVENT_READ:
                    self._link.receive(now)
        self._take_disk_results(now)
        self._take_connections(now)
        self._check_link(now)
        self._advance(now)
        self._send_queries(now)
        self._watch_link()
        events, self._events = self._events, []
        return events

    def ask(self, query: JournalQuery) -> None:
        """Ask for what is stored, or that it be forgotten; one event answers, from `poll`."""
        if isinstance(query, ForgetShots):
            self._confirmed.forget(query.keys)
        self._queries.append(query)

    def vouch(self, now: float) -> None:
        """Note in Redis that it has all that is known, for as long as its process lives."""
        self._vouches = True
        self._note_process(now)

    def _note_process(self, now: float) -> None:
        # Refused it is noted later: until then a next dispatcher is more careful than it need be.
        if self._vouches and self._process and self._link is not None:
            self._link.send(now, pack("SET", self._keys.process, self._process), lambda _: None)

    @property
    def spilled_bytes(self) -> int:
        """How much the spill file holds."""
        return self._disk.file.size

    def close(self) -> None:
        """Close the connection and the file. What was not Written may or may not be there."""
        if self._link is not None and self._pending is None and self._sent is None:
            self._leave(self._link)
        if self._link is not None:
            self._drop_link()
        if self._connector.close():
            result = self._connector.take()
            if isinstance(result, _Connected):
                result.connection.disconnect()
        self._disk.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    # What is done next

    def _advance(self, now: float) -> None:
        """Do the one next thing that can be done for the pending commit and the backlog."""
        if self._superseded:
            return
        if self._link is None:
            if not self._connecting and now >= self._retry_at:
                self._connecting = True
                self._connector.call(self._connect)
            if self._spills:
                self._spill_pending(now)
            return
        if self._dialer.asks_sentinels and not self._connecting and now >= self._look_at:
            self._look_at = now + self._redis.retry_s
            self._connecting = True
            self._connector.call(self._look)
        if not self._asking and now >= self._ask_at:
            self._asking = True
            self._ask_whether_term_stands(now, self._elapsed())
        if self._sent is None:
            self._send_next(now)
        if self._spills:
            self._spill_pending(now)

    @property
    def _spills(self) -> bool:
        """Whether what is pending goes to the file; else it waits for its turn at Redis."""
        is_turn = self._link is None or self._disk.backlog > _BACKLOG_BYTES
        return is_turn and not self._may_be_replaced

    @property
    def _may_be_replaced(self) -> bool:
        """Whether what only the spill file has may never count."""
        return self._superseded or bool(self._standing.doubt or self._asked_by)

    def _send_next(self, now: float) -> None:
        disk = self._disk
        if self._confirmed.again:
            self._send_commit(now, self._confirmed.again.popleft())
        elif disk.backlog:
            found = disk.next_commit()
            if found is None:
                self._drop_link()
                self._trouble(now, f"the spill file {disk.file.path} cannot be read back")
            else:
                end, data = found
                self._send_commit(now, self._confirmed.ask(unpack_commit(data), end))
        elif disk.replayed and not disk.is_busy:
            disk.clear()
        elif not disk.file.size and not disk.is_busy:
            if self._asked_by:
                self._give_way()
            elif self._pending is not None:
                self._pending_at = _At.REDIS
                self._send_commit(now, self._confirmed.ask(self._pending))
            elif self._state is not JournalState.OK:
                self._redis_trouble = disk.trouble = ""
                has = (
                    f"has what is known again; {self._lost}"
                    if self._lost
                    else "has everything again"
                )
                self._lost = ""
                self._change(JournalState.OK, f"{self._dialer.name} {has}")
                self._note_process(now)

    def _send_commit(self, now: float, sent: CommitRequest) -> None:
        self._sent = sent
        assert self._link is not None
        request = pack_script(COMMIT_SCRIPT, sent.arguments)
        self._link.send_script(
            now, request, lambda reply: self._answered(sent, len(request), reply)
        )

    # Redis's answers

    def _answered(self, sent: CommitRequest, size: int, reply: Reply) -> None:
        self._sent = None
        try:
            answer = items(reply)
            if answer[0] == b"lost":
                if self._pending_at is _At.REDIS:
                    self._pending_at = _At.NOWHERE
                self._compare(CommitId.parse(text(answer[1])))
                return
            if answer[0] == b"present":
                last = CommitId.parse(text(answer[1]))
                if last.term > sent.id.term:
                    self._supersede(last.term)
                    return
            if answer[0] == b"present":
                self._taken(sent, size, b"")
            else:
                self._taken(sent, size, text(answer[1]))
                if gone := [text(key).decode() for key in answer[2:]]:
                    self._tell_lost(self._confirmed.gone(sent, gone))
        except (JournalError, hiredis.HiredisError) as error:
            # Only the pending commit goes elsewhere; everything else is where it was.
            if self._link is not None and not self._link.broken:
                self._link.broken = f"it refused a commit ({error})"

    def _taken(self, sent: CommitRequest, size: int, refused: bytes) -> None:
        self._confirmed.taken(self._now, sent, size)
        if sent.spill_end is not None:
            self._disk.replayed = sent.spill_end
            self._change(
                JournalState.DEGRADED,
                f"{self._dialer.name} is back; the spill file is written to it",
            )
        elif sent.kept is None and sent.id.number:
            self._written(Where.REDIS)
        if refused:
            problem = refused.decode(errors="replace")
            self._lost = (
                f"it refused a part of a commit ({problem}): the shot's journal is complete, but "
                "what people read there may be wrong"
            )
            self._change(JournalState.DEGRADED, f"{self._dialer.name} is there, but {self._lost}")

    def _written(self, where: Where) -> None:
        commit = self._pending
        assert commit is not None
        self._pending, self._pending_at = None, _At.NOWHERE
        self._events.append(Written(commit.number, where))

    def _supersede(self, term: int) -> None:
        if not self._superseded:
            self._superseded = True
            self._events.append(TermPassed(term))

    # Whether our term stands

    @staticmethod
    def _elapsed() -> float:
        return elapsed_s()

    def _wakes(self, now: float) -> None:
        self._now = now
        if self._standing.wakes(self._elapsed()):
            self._ask_at = now
            self._tell()

    def _ask_whether_term_stands(self, now: float, asked_at: float) -> None:
        """Ask Redis whether a higher term was claimed, and whether somebody asks for our place."""
        assert self._link is not None
        passed = CommitId(self._confirmed.term + 1, 0)
        higher: list[Reply] = []
        request = pack("XREVRANGE", self._keys.commits, "+", str(passed), "COUNT", 1)
        self._link.send(now, request, higher.append)
        self._link.send(
            now, pack("GET", self._keys.asks), lambda asks: self._hear(asked_at, higher[0], asks)
        )

    def _hear(self, asked_at: float, higher: Reply, asks: Reply) -> None:
        self._asking, self._ask_at = False, recurs_at(self._now, self._redis.retry_s)
        try:
            passed = entries(higher)
            by = "" if asks is None else text(asks).decode(errors="replace")
        except (JournalError, hiredis.HiredisError):
            return  # it said nothing about it
        if passed:
            self._supersede(CommitId.parse(passed[0][0]).term)
            return
        self._asked_by = "" if by == self._name else by
        self._standing.stands(asked_at)

    def _give_way(self) -> None:
        """Leave to whoever has asked: Redis has everything that was confirmed."""
        assert self._link is not None
        self._leave(self._link)
        if not self._superseded:
            self._superseded = True
            self._events.append(PlaceAsked(self._asked_by))

    def _leave(self, link: Link) -> None:
        """Tell whoever begins next that nobody works with our term any more."""
        if self._holds is not None and not self._superseded and not self._disk.backlog:
            holder = str(self._holds.having_left)
            link.send(self._now, pack("SET", self._keys.holder, holder), lambda _: None)

    # The connection

    def _connect(self) -> _Connected:
        connection = self._dialer.connect()
        try:
            last = last_id(connection, self._keys.commits)
            return _Connected(connection, last, process_of(connection))
        except BaseException:
            connection.disconnect()
            raise

    def _look(self) -> _Named:
        try:
            return _Named(self._dialer.master())
        except (*REDIS_ERRORS, ConfigError):  # as long as it serves, the one that is there is right
            return _Named(None)

    def _take_connections(self, now: float) -> None:
        result = self._connector.take()
        if result is None:
            return
        self._connecting = False
        if isinstance(result, Failed):
            self._trouble(now, str(result.error))
            return
        if isinstance(result, _Named):
            # One that was replaced would go on taking commits until it hears of it, and lose them.
            if self._link is not None and result.master not in (None, self._link.peer):
                self._link.broken = "the Sentinels name another master"
            return
        self._take_link(result.connection)
        self._ask_at = now
        self._process = result.process
        self._compare(result.last)

    def _take_link(self, connection: Connection) -> None:
        self._link = Link(connection)
        self._standing.connected(self._elapsed())
        self._selector.register(self._link, selectors.EVENT_READ)

    def _watch_link(self) -> None:
        link = self._link
        if link is None:
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_to_write else 0)
        if self._selector.get_key(link).events != wanted:
            self._selector.modify(link, wanted)

    def _compare(self, last: CommitId) -> None:
        """Find what Redis has lost of what it had confirmed, and write it again."""
        if last.term > self._confirmed.term:
            self._confirmed.again.clear()
            self._supersede(last.term)
        elif (lost := self._confirmed.compare(last)) is not None:
            self._tell_lost(lost)

    def _tell_lost(self, lost: HistoryLost) -> None:
        """Say what Redis has lost; what the dispatcher then writes anew brings the state back."""
        self._lost = f"it has lost something: {lost.text}"
        self._change(JournalState.DEGRADED, f"{self._dialer.name} is there, but {self._lost}")
        self._events.append(
            HistoryLost(f"{self._dialer.name} has lost something: {lost.text}", lost.shots)
        )

    def _check_link(self, now: float) -> None:
        link = self._link
        if link is None:
            return
        silent_since = link.silent_since()
        if silent_since is not None and now - silent_since >= self._redis.timeout_s:
            link.broken = link.broken or f"it has not answered for {self._redis.timeout_s:g} s"
        if link.broken:
            self._drop_link()
            self._trouble(now, link.broken)

    def _drop_link(self) -> None:
        link = self._link
        assert link is not None
        self._selector.unregister(link)
        self._link = None
        link.lose()
        self._sent, self._asking = None, False
        self._standing.cut_off(self._elapsed())
        if self._pending_at is _At.REDIS:
            self._pending_at = _At.NOWHERE

    def _trouble(self, now: float, why: str) -> None:
        # The first attempt to connect again is soon: most often Redis was only restarted.
        retry_s = self._redis.retry_s
        if not self._redis_trouble:
            retry_s = min(_FIRST_RETRY_S, retry_s)
        self._retry_at = now + retry_s
        self._redis_trouble = why
        self._tell()

    def _tell(self) -> None:
        """Say how things stand while Redis is away."""
        if self._link is not None or not self._redis_trouble:
            return
        away = f"{self._dialer.name} is away: {self._redis_trouble}"
        if self._may_be_replaced:
            why = self._standing.doubt or f"another dispatcher, {self._asked_by}, takes over"
            words = "nothing new starts until Redis says that none has"
            self._change(JournalState.STOPPED, f"{away}; and {why}: {words}")
        elif self._disk.trouble:
            self._change(
                JournalState.STOPPED,
                f"{away}; and {self._disk.trouble}: nothing new starts until one of them is back",
            )
        else:
            path = self._disk.file.path
            self._change(JournalState.DEGRADED, f"{away}; commits go to the spill file {path}")

    def _change(self, state: JournalState, words: str) -> None:
        if (state, words) != (self._state, self._text):
            self._state, self._text = state, words
            self._events.append(JournalChanged(state, words))

    # The disk

    def _spill_pending(self, now: float) -> None:
        if (
            self._pending is not None
            and self._pending_at is _At.NOWHERE
            and self._disk.is_ready(now)
        ):
            self._pending_at = _At.DISK
            self._disk.append(pack_commit(self._pending))

    def _take_disk_results(self, now: float) -> None:
        done = self._disk.take(now)
        if done is DiskResult.APPENDED and not self._may_be_replaced:
            self._written(Where.SPILL)
            self._tell()
        elif done is DiskResult.APPENDED:  # it is there, and does not count: once more, to Redis
            self._pending_at = _At.NOWHERE
        elif done is DiskResult.NOT_APPENDED:
            self._pending_at = _At.NOWHERE
            self._tell()

    # Queries

    def _send_queries(self, now: float) -> None:
        while self._queries:
            asked = self._queries.popleft()
            if self._link is None:
                self._emit(failed(asked, f"{self._dialer.name} is away; ask again later"))
            else:
                exchange = queries.Exchange(asked, self._link, now, self._emit)
                queries.query_of(self._keys, asked, self._confirmed.term)(exchange)

    def _emit(self, event: JournalEvent) -> None:
        self._events.append(event)

    # Waking the loop

    def _notify(self) -> None:
        # The loop is awake already when the pair is full, and gone when it is closed.
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
