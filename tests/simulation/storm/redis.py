"""What keeps the journal in a storm: a failing Redis, a spill file, the real journal between.

The Redis is no imitation of one: it knows the three answers of the script that writes a commit, as
the tests with a real Redis hold them, and what becomes of commits. The journal is the dispatcher's
own, `RedisJournal`, with its spill file's `Disk` and its memory of what was confirmed; only its
threads and sockets are the world's.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import hiredis
from redis.exceptions import ConnectionError as NoConnection
from tests.simulation.world import World

from shotline.client.testing.journal import MemoryJournal
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.common.views import JournalState
from shotline.dispatcher.journal import (
    EncodedCommit,
    ForgetShots,
    Forgotten,
    JournalEvent,
    Loaded,
    LoadedShot,
    OutputRead,
    ReadOutput,
    ReadShot,
    ShotRead,
    TrimAudit,
    failed,
    layout,
)
from shotline.dispatcher.journal.commit import unpack_commit
from shotline.dispatcher.journal.confirmed import CommitRequest
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId
from shotline.dispatcher.journal.redis_journal import RedisJournal, _Connected
from shotline.dispatcher.journal.standing import Holder, Place
from shotline.dispatcher.journal.worker import Failed

SECTION = RedisSection(timeout_s=2.0, retry_s=0.5)
CONNECT_S = 0.01
LOOK_S = 0.001  # without chance: how often Redis is asked changes nothing else
CONNECT_TIMEOUT_S = 2.0
STOPPED_S = 25.0  # behind a failed append, also of a dispatcher that was paused
WHOLE_S = 3.0  # since when the journal has said that Redis has everything
TIMES_MAX = 100


class Entry(NamedTuple):
    """A commit that Redis holds, or a claim, and since when."""

    id: CommitId
    commit: EncodedCommit | None
    at: float


class SimRedis:
    """What Redis holds, and how it is. `on_commit` is told of each commit that it takes."""

    def __init__(self, world: World, on_commit: Callable[[EncodedCommit], None]) -> None:
        self._world, self._on_commit = world, on_commit
        self.entries: list[Entry] = []
        self.is_up = True
        self.stalled_until = 0.0
        self.error = ""  # what it answers to whatever writes
        self.life = 1
        self.has_lost = False
        self.has_hole = False  # what it has lost is not there again
        self.vouched = 0  # the life that had all that was known
        self.holder: Holder | None = None
        self.asks = ""  # who asks for its place

    @property
    def last(self) -> CommitId:
        """The id that it has given last."""
        return self.entries[-1].id if self.entries else NO_COMMIT

    def write(self, id_: CommitId, commit: EncodedCommit | None, confirmed: CommitId) -> object:
        """Take a commit, as the script does. Return its answer."""
        if self.error:
            return hiredis.ReplyError(self.error)
        if confirmed > self.last:
            return [b"lost", str(self.last).encode()]
        if id_ <= self.last:
            return [b"present", str(self.last).encode()]
        self.entries.append(Entry(id_, commit, self._world.now))
        if commit is not None:
            self._world.note(*(one.body for one in commit.shots.values()))
            self._on_commit(commit)
        return [b"written", b""]

    def found(self) -> Place:
        """Return what a new dispatcher finds."""
        return Place(self.last, self.holder, self.asks, b"%d" % self.life)

    def view(self) -> MemoryJournal:
        """Return what all that it holds comes to."""
        journal = MemoryJournal()
        for entry in self.entries:
            if entry.commit is not None:
                journal.store(entry.commit)
        return journal

    # Faults

    def stall(self, for_s: float) -> None:
        """Answer nothing for a while."""
        self.stalled_until = max(self.stalled_until, self._world.now + for_s)

    def refuse(self, error: str, for_s: float) -> None:
        """Refuse whatever writes for a while."""
        self.error = error
        self._world.after(for_s, self._take_again)

    def _take_again(self) -> None:
        self.error = ""

    def end(self, away_s: float, lose_s: float) -> None:
        """Be away for a while, and have lost by then what came in the last `lose_s`.

        So it is after a crash, and where another takes its place that lagged behind.
        """
        if not self.is_up:
            return
        self.is_up = False
        self.life += 1
        kept = [one for one in self.entries if one.at < self._world.now - lose_s]
        if lose_s and len(kept) < len(self.entries):
            self._world.tell(f"redis loses all behind {kept[-1].id if kept else 'nothing'}")
            self.entries = kept
            self.has_lost = self.has_hole = True
        self._world.after(away_s, self._begin)

    def _begin(self) -> None:
        self.is_up = True
        self._world.tell("redis is back")


class SimSpill:
    """The spill file: it outlives whoever writes it. `full`: the disk takes nothing."""

    def __init__(self, world: World, on_append: Callable[[EncodedCommit], None]) -> None:
        self._world, self._on_append = world, on_append
        self._frames: list[tuple[int, bytes]] = []
        self.path = Path("spill")
        self.bytes_max = 1 << 28
        self.full = False
        self._failed_at = -STOPPED_S

    @property
    def has_failed(self) -> bool:
        """Whether somebody may still think that nothing can, or may, be written to it."""
        return self._world.now < self._failed_at + STOPPED_S

    @property
    def size(self) -> int:
        """Bytes of what it holds."""
        return self._frames[-1][0] if self._frames else 0

    def frames(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield what it holds from a byte on: where each frame ends, and its data."""
        return (one for one in list(self._frames) if one[0] > start)

    def fail(self) -> None:
        """Note that somebody thinks so."""
        self._failed_at = self._world.now

    def append(self, data: bytes) -> None:
        """Add a frame, or raise OSError."""
        if self.full:
            self.fail()
            raise OSError(28, "No space left on device")
        self._frames.append((self.size + 8 + len(data), data))
        self._on_append(unpack_commit(data))

    def clear(self) -> None:
        """Forget all."""
        self._frames.clear()

    def close(self) -> None:
        """Nothing is to be closed."""


class SimWorker:
    """A thread that makes one call after the other: each takes a while of the world's time."""

    def __init__(self, world: World, delay_s: Callable[[], float], notify: Callable[[], None]):
        self._world, self._delay_s, self._notify = world, delay_s, notify
        self._results: deque[object] = deque()
        self.is_dead = False

    def call(self, function: Callable[[], object]) -> None:
        """Call it in a while."""
        self._world.after(self._delay_s(), lambda: self._call(function))

    def _call(self, function: Callable[[], object]) -> None:
        if self.is_dead:
            return
        try:
            self._results.append(function())
        except (OSError, NoConnection) as error:
            self._results.append(Failed(error))
        self._notify()

    def take(self) -> object:
        """Return the oldest result."""
        return self._results.popleft() if self._results else None


@dataclass(slots=True)
class SimConnection:
    """A connection to one life of Redis."""

    life: int
    host: str = "redis"
    port: int = 1

    def disconnect(self) -> None:
        """It is gone."""


class SimLink:
    """A connection in use: commits go, answers come."""

    def __init__(self, world: World, redis: SimRedis, life: int, notify: Callable[[], None]):
        self._world, self._redis, self.life, self._notify = world, redis, life, notify
        self._waiting: deque[tuple[float, Callable[[Any], None]]] = deque()
        self._replies: deque[object] = deque()
        self._free_at = 0.0
        self.broken = ""
        self.wants_to_write = False
        self.peer = ("redis", 1)
        self.is_lost = False

    def silent_since(self) -> float | None:
        """Return since when an answer is owed."""
        return self._waiting[0][0] if self._waiting else None

    def write(
        self,
        id_: CommitId,
        commit: EncodedCommit | None,
        confirmed: CommitId,
        on_reply: Callable[[Any], None],
    ) -> None:
        """Send a commit."""
        self.ask(lambda: self._redis.write(id_, commit, confirmed), on_reply)

    def ask(
        self,
        request: Callable[[], object],
        on_reply: Callable[[Any], None],
        delay_s: float | None = None,
    ) -> None:
        """Send any request. `delay_s`: each way; by default some time."""
        self._waiting.append((self._world.now, on_reply))
        self._later(lambda: self._arrive(request, delay_s), delay_s)

    def _later(self, action: Callable[[], None], delay_s: float | None) -> None:
        if delay_s is None:
            delay_s = self._world.random.uniform(0.0001, 0.005)
        at = self._world.now + delay_s
        self._free_at = at = max(at, self._free_at)
        self._world.at(at, action)

    def _arrive(self, request: Callable[[], object], delay_s: float | None) -> None:
        redis = self._redis
        if redis.stalled_until > self._world.now:
            self._world.at(redis.stalled_until, lambda: self._arrive(request, delay_s))
            return
        if not redis.is_up or redis.life != self.life:
            self._break()
            return
        reply = request()
        self._later(lambda: self._answer(reply), delay_s)

    def _answer(self, reply: object) -> None:
        if self._redis.life != self.life:
            self._break()
        elif not self.is_lost:
            self._replies.append(reply)
            self._notify()

    def note_life(self) -> None:
        """Let Redis keep which life of it this is."""
        self._world.at(max(self._world.now, self._free_at), self._keep_life)

    def _keep_life(self) -> None:
        redis = self._redis
        if redis.is_up and redis.life == self.life and not redis.error:
            redis.vouched = self.life

    def _break(self) -> None:
        if not self.is_lost:
            self.broken = self.broken or "it closed the connection"
            self._notify()

    def look(self) -> None:
        """Notice that the Redis of this connection is gone."""
        if self._redis.life != self.life and not self.is_lost:
            self.broken = self.broken or "it closed the connection"

    def has_replies(self) -> bool:
        """Return whether `receive` has something to hand on."""
        return bool(self._replies)

    def receive(self, _now: float) -> None:
        """Hand on what has come."""
        while self._replies and self._waiting:
            self._waiting.popleft()[1](self._replies.popleft())

    def flush(self, _now: float) -> None:
        """Everything leaves at once."""

    def lose(self) -> None:
        """Nobody gets an answer any more."""
        self.is_lost = True
        self._waiting.clear()


class _Selector:
    """Says that the link has answers."""

    def __init__(self, journal: "SimJournal") -> None:
        self._journal = journal

    def select(self, _timeout: float) -> list[tuple[Any, int]]:
        link = self._journal.link
        if link is None:
            return []
        link.look()
        return [(SimpleNamespace(fileobj=link), 1)] if link.has_replies() else []

    def register(self, *_about: object) -> None:
        """Nothing is to be watched."""

    unregister = modify = register

    def get_key(self, _link: object) -> object:
        return SimpleNamespace(events=1)

    def close(self) -> None:
        """Nothing is to be closed."""


class SimJournal(RedisJournal):
    """The dispatcher's journal for one life of it. `notify`: something has come; poll it."""

    def __init__(
        self,
        world: World,
        redis: SimRedis,
        spill: SimSpill,
        notify: Callable[[], None],
        place: str = "spill",
    ) -> None:
        super().__init__(SECTION, JournalSection(), 10_000)
        self._place = self._name = place
        self._selector.close()
        self._wake.close()
        self._woken.close()
        self._world, self.redis, self._spill = world, redis, spill
        self._told = notify
        self._commits: dict[CommitId, EncodedCommit] = {}
        self._times: Counter[CommitId] = Counter()
        self._good_since: float | None = None
        self._may_lack_end = False
        self._selector = cast("Any", _Selector(self))
        uniform = world.random.uniform
        self._threads = [
            SimWorker(world, lambda: uniform(0.001, 0.05), notify),
            SimWorker(world, self._connecting_s, notify),
        ]
        self._disk._worker, self._connector = (
            cast("Any", self._threads[0]),
            cast("Any", self._threads[1]),
        )
        self._disk._file = cast("Any", spill)

    @property
    def link(self) -> SimLink | None:
        """Its connection."""
        return cast("SimLink | None", self._link)

    def begin(self, above: int) -> tuple[int, Loaded]:
        """Write what the spill file holds, claim a term, and read, as `load` does.

        Only while Redis is there; it takes no time.
        """
        redis = self.redis
        highest = 0
        self._may_lack_end = bool(redis.entries) and redis.vouched != redis.life
        for _, data in self._spill.frames():
            commit = unpack_commit(data)
            highest = max(highest, commit.term)
            id_ = CommitId(commit.term, commit.number)
            if id_ > redis.last:
                redis.write(id_, commit, NO_COMMIT)
        self._spill.clear()
        before = redis.last
        term = max(before.term, highest, above) + 1
        redis.write(CommitId(term, 0), None, NO_COMMIT)
        self._confirmed.claimed(term, before)
        redis.holder = self._holds = Holder(term, self._place, "")
        redis.asks = "" if redis.asks == self._place else redis.asks
        self._take_link(cast("Any", SimConnection(redis.life)))
        return term, self.loaded_now(term)

    def loaded_now(self, term: int) -> Loaded:
        """Return what a dispatcher that begins now would read."""
        view = self.redis.view()
        view.term = term
        found = view.loaded()
        shots = {
            key: LoadedShot(layout.readable_history(one.records), one.lines)
            for key, one in found.shots.items()
        }
        return found.__class__(
            term=term,
            shots=shots,
            newest=found.newest,
            current=found.current,
            stored=found.stored,
            commands=found.commands,
            servers=found.servers,
            audited=found.audited,
            hosted=found.hosted,
            history=found.history,
            may_lack_end=self._may_lack_end,
        )

    def kill(self) -> None:
        """End at once; what is on its way to Redis may arrive, what is at the disk may be there."""
        for one in self._threads:
            one.is_dead = True
        if self.link is not None:
            self.link.lose()

    def write_at(self, now: float, commit: EncodedCommit) -> None:
        """Begin to write a commit."""
        self._commits[CommitId(commit.term, commit.number)] = commit
        self.write(now, commit)

    def poll(self, now: float) -> list[JournalEvent]:
        """Do what can be done; take note of when it says that Redis has everything again."""
        events = super().poll(now)
        if self._state is JournalState.STOPPED:
            self._spill.fail()
        link = self.link
        is_good = self._state is JournalState.OK and link is not None and not link.broken
        if not is_good or link is None or link.life != self.redis.life:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = now
            self._world.after(WHOLE_S + 0.01, self._told)  # perhaps nothing else happens then
        elif self.redis.has_hole and now > self._good_since + WHOLE_S:
            self.redis.has_hole = False
        return events

    def _note_process(self, _now: float) -> None:
        link = self.link
        if self._vouches and link is not None:
            link.note_life()

    def fileno(self) -> int:
        """Return nothing that could be watched."""
        return -1

    def _connecting_s(self) -> float:
        redis = self.redis
        if redis.stalled_until > self._world.now:
            return min(redis.stalled_until - self._world.now, CONNECT_TIMEOUT_S)
        return CONNECT_S

    def _connect(self) -> _Connected:
        redis = self.redis
        if not redis.is_up or redis.stalled_until > self._world.now:
            raise NoConnection("it does not answer")
        return _Connected(cast("Any", SimConnection(redis.life)), redis.last)

    def _take_link(self, connection: Any) -> None:
        link = SimLink(self._world, self.redis, connection.life, self._told)
        self._link = cast("Any", link)

    def _elapsed(self) -> float:  # type: ignore[override]  # of the world
        return self._world.now

    def _ask_whether_term_stands(self, _now: float, asked_at: float) -> None:
        link, redis = self.link, self.redis
        assert link is not None

        def look() -> object:
            passed = redis.last if redis.last.term > self._confirmed.term else None
            return [] if passed is None else [[str(passed).encode(), []]], redis.asks.encode()

        link.ask(look, lambda reply: self._hear(asked_at, *reply), LOOK_S)

    def _leave(self, _link: object) -> None:
        link, holds, redis = self.link, self._holds, self.redis
        if link is not None and holds is not None:
            link.ask(lambda: setattr(redis, "holder", holds.having_left), lambda _: None)

    def _send_commit(self, now: float, sent: CommitRequest) -> None:
        self._sent = sent
        self._times[sent.id] += 1
        assert self._times[sent.id] < TIMES_MAX, f"I9: {sent.id} is written again and again"
        link = self.link
        assert link is not None
        known = self._commits.get(sent.id)
        if known is None and sent.id.number:
            known = self._from_spill(sent)
        # Again, or from the file: without a look at what Redis still has.
        confirmed = CommitId.parse(str(sent.arguments[0]).encode())
        link.write(sent.id, known, confirmed, lambda reply: self._answered(sent, 100, reply))

    def _from_spill(self, sent: CommitRequest) -> EncodedCommit:
        for _, data in self._spill.frames():
            commit = unpack_commit(data)
            if (commit.term, commit.number) == sent.id:
                return commit
        raise AssertionError(f"I9: nobody has {sent.id}")

    def _send_queries(self, _now: float) -> None:
        queries: Sequence[Any] = tuple(self._queries)
        self._queries.clear()
        for asked in queries:
            self._emit(self._result(asked))

    def _result(self, asked: Any) -> JournalEvent:
        if self.link is None or not self.redis.is_up:
            return failed(asked, "Redis is away; ask again later")
        match asked:
            case ReadShot():
                found: ShotRead = self.redis.view().read_shot(asked)
                return ShotRead(found.query, layout.readable_history(found.records), found.lines)
            case ReadOutput():
                read: OutputRead = self.redis.view().read_output(asked)
                return read
            case ForgetShots():
                return Forgotten(())
            case TrimAudit():
                return failed(asked, "not now")
            case _:
                return failed(asked, "nobody asks for this here")
