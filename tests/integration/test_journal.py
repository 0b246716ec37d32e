"""The journal with a real Redis: what is there after crashes, stalls, full disks and restarts."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
import redis
from msgspec import structs
from tests.support.stack import eventually

from shotline.client.local.redis_server import RedisServer
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.base import Struct
from shotline.common.channels import VOLUMES
from shotline.common.errors import JournalError
from shotline.common.messages import Outcome
from shotline.common.nodes import ActionNode, DispatchOptions
from shotline.common.records import (
    Audited,
    CommandDone,
    Commit,
    Counts,
    GlobalRecord,
    Mark,
    PulseCreated,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    ServerSeen,
    ShotKey,
    ShotRecord,
    StoredOutput,
    TableBuilt,
    Transition,
    decode_record,
    decode_records,
)
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.common.views import JournalState, OutputLine
from shotline.common.volumes.records import LedgerBegun, LedgerKept, LedgerPart, OrphansGone
from shotline.dispatcher.journal import (
    AuditRead,
    AuditTrimmed,
    ForgetShots,
    Forgotten,
    HistoryLost,
    JournalChanged,
    JournalEvent,
    Loaded,
    OutputRead,
    PlaceAsked,
    ReadAudit,
    ReadOutput,
    ReadShot,
    ShotRead,
    TermPassed,
    TrimAudit,
    Where,
    Written,
    encode_commit,
)
from shotline.dispatcher.journal.link import connect
from shotline.dispatcher.journal.redis_journal import RedisJournal
from shotline.dispatcher.journal.standing import still_s

DEADLINE_S = 30.0
SOON_S = 0.5  # as redis.timeout_s
COMMANDS_MAX = 100
SHOT = ShotKey("TEST", 42)
E = TypeVar("E", bound=JournalEvent)


def stands_still() -> None:
    """Do nothing, as one that was stopped does."""


class Dispatcher:
    """Stands in for the dispatcher's loop: polls the journal and remembers what it told."""

    def __init__(
        self,
        server: RedisServer,
        folder: Path,
        meanwhile: Callable[[], None] | None = None,
        **options: float | str,
    ) -> None:
        """Begin; `meanwhile` is done while it waits for the place of another one."""
        timeout_s = float(options.pop("timeout_s", 10.0))
        commands_max = int(options.pop("commands_max", COMMANDS_MAX))
        key_prefix = str(options.pop("key_prefix", "shotline:"))
        spill_bytes_max = int(options.pop("spill_bytes_max", 1 << 24))
        self.spill_file = folder / str(options.pop("spill_file", "journal.spill"))
        self.journal = RedisJournal(
            RedisSection(
                url=server.url,
                password_file=server.password_file,
                key_prefix=key_prefix,
                timeout_s=timeout_s,
                retry_s=0.05,
            ),
            JournalSection(spill_file=self.spill_file, spill_bytes_max=spill_bytes_max),
            commands_max,
            **options,  # type: ignore[arg-type]
        )
        try:
            self.loaded: Loaded = (
                self.journal.load() if meanwhile is None else self._load_once_it_may(meanwhile)
            )
        except BaseException:
            self.journal.close()
            raise
        self.term = self.loaded.term
        self.number = 0
        self.events: list[JournalEvent] = []
        self.told: list[JournalEvent] = []  # all of them
        self.texts: list[str] = []
        self.last_state = JournalState.OK

    def _load_once_it_may(self, meanwhile: Callable[[], None]) -> Loaded:
        found: list[Loaded] = []

        def may_load() -> bool:
            meanwhile()
            try:
                found.append(self.journal.load())
            except JournalError as error:
                if "may still be at work" not in str(error):
                    raise
            return bool(found)

        eventually(may_load)
        return found[0]

    def begin(
        self,
        *records: ShotRecord,
        shot: ShotKey = SHOT,
        system: tuple[GlobalRecord, ...] = (),
        outputs: tuple[StoredOutput, ...] = (),
    ) -> None:
        """Begin to write the next commit."""
        self.number += 1
        shots = {shot: records} if records else {}
        commit = Commit(self.term, self.number, shots, system, outputs)
        self.journal.write(time.monotonic(), encode_commit(commit))

    def commit(
        self,
        *records: ShotRecord,
        shot: ShotKey = SHOT,
        system: tuple[GlobalRecord, ...] = (),
        outputs: tuple[StoredOutput, ...] = (),
    ) -> Where:
        """Write the next commit and return where it is safe."""
        self.begin(*records, shot=shot, system=system, outputs=outputs)
        return self.written().where

    def written(self) -> Written:
        """Wait for the commit in flight."""
        return self.wait(Written, lambda event: event.number == self.number)

    def state(self, state: JournalState) -> JournalChanged:
        """Wait until the journal says that it is in a state."""
        return self.wait(JournalChanged, lambda event: event.state is state)

    def wait(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> E:
        """Return the first event of a kind, which is then forgotten with all before it."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for index, event in enumerate(self.events):
                if isinstance(event, kind) and wanted(event):
                    del self.events[: index + 1]
                    return event
            now = time.monotonic()
            assert now < deadline, f"no {kind.__name__} among {self.events}"
            wake_at = self.journal.wake_at()
            until = deadline if wake_at is None else min(wake_at, deadline)
            select.select([self.journal], [], [], max(0.0, until - now))
            self.poll()

    def wait_told(self, kind: type[E]) -> E:
        """Return the first event of a kind that was told, also before what was waited for."""
        return next(event for event in self.told if isinstance(event, kind))

    def until_ok(self) -> None:
        """Wait until Redis has everything that is in the spill file now."""
        while self.last_state is not JournalState.OK:
            self.state(JournalState.OK)

    def poll(self) -> None:
        """Let the journal do what it can."""
        new = self.journal.poll(time.monotonic())
        for event in new:
            if isinstance(event, JournalChanged):
                self.last_state = event.state
                self.texts.append(event.text)
        self.events += new
        self.told += new

    @property
    def text(self) -> str:
        """What the journal has said about its state, all of it."""
        return "; ".join(self.texts)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis server of its own."""
    with RedisServer(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def start(server: RedisServer, tmp_path: Path) -> Iterator[Callable[..., Dispatcher]]:
    """Start dispatchers; they end with the test."""
    started: list[Dispatcher] = []

    def start_one(
        folder: str = "data",
        meanwhile: Callable[[], None] | None = None,
        **options: float | str,
    ) -> Dispatcher:
        dispatcher = Dispatcher(server, tmp_path / folder, meanwhile, **options)
        started.append(dispatcher)
        return dispatcher

    yield start_one
    for dispatcher in started:
        dispatcher.journal.close()


@pytest.fixture
def people(server: RedisServer) -> Iterator[redis.Redis]:
    """What somebody with redis-cli sees."""
    with server.client(decode_responses=True) as client:
        yield client


def done(path: str, attempt: int = 1, reason: str = "") -> Transition:
    return Transition(
        time=1732285635.5,
        path=path,
        state=ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        attempt=attempt,
        reason=reason,
    )


def table(*paths: str) -> TableBuilt:
    nodes = tuple(ActionNode(path=path, name=path) for path in paths)
    return TableBuilt(time=1732285000.0, actions=nodes, options=DispatchOptions())


def opened(run: int, *paths: str) -> RunOpened:
    return RunOpened(time=1732285600.0, run=run, kind=RunKind.PHASE, phase="PULSE", paths=paths)


OUTPUT = StoredOutput("TEST", 42, "A", 1, 0, ((1732285635.0, 1, b"a line"),))


def ended(run: int) -> RunEnded:
    return RunEnded(
        time=1732285700.0, run=run, outcome=RunOutcome.COMPLETED, counts=Counts(success=1)
    )


def stored(people: redis.Redis, shot: ShotKey = SHOT) -> list[ShotRecord]:
    """All records of a shot, as Redis has them."""
    entries = people.xrange(f"shotline:{shot.tree}:{shot.shot}:journal")
    return [record for _, fields in entries for record in decode_records(fields["records"])]  # type: ignore[misc]


def test_a_commit_can_be_read_with_redis_cli(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    records = (PulseCreated(time=1.0), table("A", "B"), opened(1, "A"), done("A"), ended(1))
    seen = ServerSeen(time=5.0, server="SRV:1", liveness="alive")
    reply = CommandDone(time=6.0, command="c1", reply="{}")
    output = StoredOutput("TEST", 42, "A", 1, 0, ((1732285635.25, 1, b"one\ntwo"),))
    where = dispatcher.commit(*records, system=(seen, reply), outputs=(output,))
    assert where is Where.REDIS

    assert stored(people) == list(records)
    assert decode_record(people.hget("shotline:TEST:42:actions", "A")) == records[3]
    node = people.hget("shotline:TEST:42:nodes", "B")
    assert msgspec.json.decode(node, type=ActionNode) == records[1].actions[1]  # type: ignore[union-attr]
    runs = people.hgetall("shotline:TEST:42:runs")
    assert {name: decode_record(text) for name, text in runs.items()} == {
        "1 run_opened": records[2],
        "1 run_ended": records[4],
    }
    assert people.lrange("shotline:TEST:42:output:A#1", 0, -1) == [
        "0 2024-11-22T14:27:15.2500000Z out one\ntwo"
    ]
    assert people.hgetall("shotline:TEST:42:outputs") == {"A#1": "2"}
    assert decode_record(people.hget("shotline:servers", "SRV:1")) == seen
    assert people.zrange("shotline:shots", 0, -1) == ["TEST/42"]
    assert people.smembers("shotline:open") == set()
    assert people.hgetall("shotline:newest") == {"TEST": "42"}
    assert people.get("shotline:current") == "TEST/42"
    (_, claim), (commit_id, fields) = people.xrange("shotline:commits")
    assert "claimed_by" in claim
    assert commit_id == f"{dispatcher.term}-1"
    assert fields["shots"] == "TEST/42"
    assert decode_records(fields["system"]) == (seen, reply)


def test_a_run_is_open_and_shows_its_actions_as_they_were_until_they_change(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(table("A", "B"), opened(1, "A", "B"), done("A"), done("B"), ended(1))
    dispatcher.commit(opened(2, "A"))
    assert sorted(people.hkeys("shotline:TEST:42:actions")) == ["A", "B"]
    assert people.smembers("shotline:open") == {"TEST/42"}


def test_the_next_dispatcher_reads_what_the_last_one_wrote(
    start: Callable[..., Dispatcher],
) -> None:
    first = start()
    records = (PulseCreated(time=1.0), table("A"), opened(1, "A"), done("A"))
    output = StoredOutput("TEST", 42, "A#B", 7, 0, ((5.0, 1, b"one\ntwo"),))
    first.commit(*records, outputs=(output,))
    first.commit(table("A"), shot=ShotKey("TEST", 43))
    first.commit(table("A"), shot=ShotKey("OTHER", 7))
    first.commit(PulseCreated(time=5.0), shot=ShotKey("OTHER", 8))
    for number in range(5):
        done_command = CommandDone(time=6.0, command=f"c{number}", reply="{}")
        first.commit(system=(done_command,))
    server = ServerSeen(time=7.0, server="SRV:1", liveness="alive", incarnation="one")
    stopped = structs.replace(server, stopping=True)
    first.commit(system=(server, stopped))
    first.journal.close()

    loaded = start(commands_max=3).loaded
    assert loaded.term == first.term + 1
    # The open one, the newest built ones, and the current one.
    newest = {ShotKey("TEST", 43), ShotKey("OTHER", 7)}
    assert set(loaded.shots) == {SHOT, *newest, ShotKey("OTHER", 8)}
    assert loaded.shots[SHOT].records == records
    assert loaded.shots[SHOT].lines == {("A#B", 7): 2}
    assert loaded.newest == {"TEST": 43, "OTHER": 7}
    assert loaded.current == ShotKey("OTHER", 8)
    assert set(loaded.stored) == set(loaded.shots)
    assert [command.command for command in loaded.commands] == ["c2", "c3", "c4"]
    assert loaded.servers == (stopped,)
    assert loaded.warnings == ()


def test_a_hosted_stream_begins_with_the_parts_of_its_whole_state(
    start: Callable[..., Dispatcher],
) -> None:
    first = start()
    records: list[tuple[Struct, ...]] = [
        (LedgerBegun(time=1.0, life="a"),),
        (LedgerPart(time=2.0, volume="RAW", files=(), records=()),),
        (OrphansGone(time=3.0, numbers=()),),
        (LedgerKept(time=4.0, since=f"{first.term}-2", life="a", next_number=7),),
        (OrphansGone(time=5.0, numbers=()),),
    ]
    for some in records:
        first.number += 1
        commit = Commit(first.term, first.number, {}, hosted={VOLUMES: some})
        first.journal.write(time.monotonic(), encode_commit(commit))
        first.written()
    first.journal.close()
    assert start().loaded.hosted[VOLUMES] == tuple(one for some in records[1:] for one in some)


def test_the_shots_stand_in_the_order_of_their_use_whatever_the_clock_said(
    start: Callable[..., Dispatcher],
) -> None:
    first = start()
    shots = [ShotKey("TEST", number) for number in (7, 5, 6)]
    for shot, wrong in zip(shots, (9e9, 1.0, 5e9), strict=True):
        first.commit(structs.replace(table("A"), time=wrong), shot=shot)
    first.journal.close()
    assert start().loaded.stored == tuple(shots)


def test_closed_shots_that_are_not_the_newest_are_not_loaded(
    start: Callable[..., Dispatcher],
) -> None:
    first = start()
    first.commit(table("A"), opened(1, "A"), done("A"), ended(1))
    first.commit(table("A"), shot=ShotKey("TEST", 43))
    first.journal.close()
    loaded = start().loaded
    assert set(loaded.shots) == {ShotKey("TEST", 43)}
    assert set(loaded.stored) == {SHOT, ShotKey("TEST", 43)}


def everything(people: redis.Redis) -> dict[str, bytes | None]:
    return {key: people.dump(key) for key in people.scan_iter()}


def test_a_repeated_commit_changes_nothing_and_counts_as_written(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    output = StoredOutput("TEST", 42, "A", 1, 0, ((5.0, 1, b"one"),))
    dispatcher.commit(table("A"), done("A"), outputs=(output,))
    before = everything(people)
    dispatcher.number -= 1
    assert dispatcher.commit(done("A", reason="again"), outputs=(output,)) is Where.REDIS
    assert everything(people) == before


def test_a_superseded_dispatcher_changes_nothing_and_learns_of_it(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    old = start("old")
    old.commit(table("A"))
    new = start("new", stands_still, timeout_s=SOON_S)
    before = everything(people)
    old.begin(done("A"))
    assert old.wait(TermPassed).term == new.term
    assert everything(people) == before
    assert not [event for event in old.events if isinstance(event, Written)]


def test_a_dispatcher_leaves_when_another_asks_for_its_place(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    """What its spill file holds is in Redis before: the other one knows of it."""
    old = start("old")
    old.commit(table("A"))
    server.kill()
    old.state(JournalState.DEGRADED)
    assert old.commit(done("A")) is Where.SPILL
    server.start()
    new = start("new", old.poll)  # it would give the old one 24 s
    assert new.loaded.shots[SHOT].records[-1] == done("A")
    asked_by = old.wait_told(PlaceAsked).by
    assert asked_by.startswith(new.journal._claimed_by)
    assert people.get("shotline:dispatcher:next") is None
    assert new.commit(done("A", 2)) is Where.REDIS
    before = everything(people)
    old.journal.poll(time.monotonic())
    old.begin(done("A", 3))
    assert old.journal.poll(time.monotonic()) == []
    assert everything(people) == before


def test_a_dispatcher_that_has_ended_is_not_waited_for(
    start: Callable[..., Dispatcher], server: RedisServer
) -> None:
    """It says so in Redis; killed, its spill file is free, whose name is the proof."""
    first = start("first")
    first.commit(table("A"))
    first.journal.close()
    second = start("second")
    second.commit(done("A"))
    server.kill()
    second.state(JournalState.DEGRADED)
    second.journal.close()  # Redis does not hear of it
    server.start()
    assert start("second").loaded.shots[SHOT].records[-1] == done("A")


def test_one_that_stood_still_confirms_nothing_on_its_spill_file_alone(
    start: Callable[..., Dispatcher], server: RedisServer
) -> None:
    old = start(timeout_s=SOON_S)
    old.commit(table("A"))
    until = time.monotonic() + still_s(RedisSection(timeout_s=SOON_S, retry_s=0.05))
    eventually(lambda: time.monotonic() > until)
    server.kill()
    old.begin(done("A"))
    told = old.state(JournalState.STOPPED).text
    assert "stood still for" in told
    assert "nothing new starts until Redis says that none has" in told
    tried = old.journal.wake_at()
    assert tried is not None
    eventually(lambda: time.monotonic() > tried)
    old.poll()
    assert not [event for event in old.events if isinstance(event, Written)]
    server.start()
    assert old.written().where is Where.REDIS
    old.until_ok()
    server.kill()
    assert old.commit(done("A", 2)) is Where.SPILL, "it was not replaced: it goes on as ever"


def test_a_term_can_be_claimed_above_what_the_servers_know(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.term = dispatcher.journal.claim_term(100)
    assert dispatcher.term == 101
    assert dispatcher.commit(table("A")) is Where.REDIS
    assert people.xrevrange("shotline:commits", count=1)[0][0] == "101-1"
    with pytest.raises(JournalError, match="before the first commit"):
        dispatcher.journal.claim_term(200)


def test_the_term_is_above_the_journals_when_the_list_of_commits_was_removed(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    first = start()
    first.term = first.journal.claim_term(50)
    first.commit(table("A"))
    first.journal.close()
    people.delete("shotline:commits")
    assert start().term == 52


def test_terms_that_cannot_be_are_named_and_can_be_repaired(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis, tmp_path: Path
) -> None:
    """As a Redis has them in which an older version wrote what a server had sent it."""
    first = start()
    first.commit(table("A"), done("A"))
    first.journal.close()
    before = stored(people)
    (entry,) = people.xrange("shotline:TEST:42:journal")
    absurd = (2**31, 2**64 - 2, 2**64 - 1)
    for term in absurd:
        people.xadd("shotline:commits", {"claimed_by": "somebody"}, id=f"{term}-0")
        people.xadd("shotline:TEST:42:journal", entry[1], id=f"{term}-7")
    with pytest.raises(JournalError, match=r"cannot have come about.*--repair"):
        start()
    settings = {
        "redis": {"url": server.url, "password_file": str(server.password_file)},
        "data_folder": str(tmp_path / "data"),
    }
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "shotline.dispatcher", "--config", str(config), "--repair"]
    for said in (f"what was term {2**64 - 1} is term {first.term + 3} now", "nothing to repair"):
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert said in ran.stdout
    next_one = start()
    assert next_one.term == first.term + 4
    assert next_one.loaded.shots[SHOT].records == (*before, *before, *before, *before)
    assert next_one.commit(done("A", 2)) is Where.REDIS
    ids = [name for name, _ in people.xrange("shotline:TEST:42:journal")]
    assert ids == [f"{first.term}-1"] + [f"{first.term + n}-7" for n in (1, 2, 3)] + [
        f"{next_one.term}-1"
    ]
    assert people.keys("*:repaired") == []


def test_a_start_that_is_tried_again_keeps_its_term(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as people:
        people.xadd("shotline:TEST:42:journal", {"records": "no JSON"}, id="1-1")
        people.hset("shotline:newest", "TEST", "42")
        journal = RedisJournal(
            RedisSection(url=server.url, password_file=server.password_file),
            JournalSection(spill_file=tmp_path / "spill"),
            COMMANDS_MAX,
        )
        for _ in range(3):
            with pytest.raises(JournalError, match="cannot be read"):
                journal.load()
        people.delete("shotline:TEST:42:journal")
        assert journal.load().term == 1
        journal.close()


def test_nothing_is_lost_or_doubled_when_redis_is_killed_in_between(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(table("A"))
    paths = [f"A{number}" for number in range(400)]
    places = []
    for number, path in enumerate(paths):
        output = StoredOutput("TEST", 42, "A", 1, number, ((5.0, 1, path.encode()),))
        dispatcher.begin(done(path), outputs=(output,))
        if number in (100, 200, 300):
            server.kill()
        if number in (150, 250, 350):
            server.start()
        places.append(dispatcher.written().where)
    dispatcher.until_ok()
    assert Where.SPILL in places
    assert [r.path for r in stored(people) if isinstance(r, Transition)] == paths
    assert set(people.hkeys("shotline:TEST:42:actions")) == set(paths)
    lines = people.lrange("shotline:TEST:42:output:A#1", 0, -1)
    assert [line.split()[-1] for line in lines] == paths
    assert dispatcher.spill_file.stat().st_size == 0


def test_what_redis_has_lost_is_written_again(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    """A crash of the machine forgets what was not synced yet; a rewound copy does the same."""
    dispatcher = start()
    dispatcher.commit(table("A"))
    people.config_set("appendonly", "no")  # from here on Redis forgets what it is told
    for number in range(10):
        dispatcher.commit(done(f"A{number}"))
    server.kill()
    dispatcher.state(JournalState.DEGRADED)
    assert dispatcher.commit(done("A10")) is Where.SPILL
    server.start()
    assert dispatcher.wait(HistoryLost).shots == frozenset(), "nothing that is not kept"
    dispatcher.until_ok()
    paths = [record.path for record in stored(people) if isinstance(record, Transition)]
    assert paths == [f"A{number}" for number in range(11)]


def test_an_emptied_redis_gets_what_is_kept_and_the_dispatcher_hears_of_it(
    start: Callable[..., Dispatcher], people: redis.Redis, server: RedisServer
) -> None:
    dispatcher = start(keep_bytes_max=1)
    dispatcher.commit(table("A"), done("A"))
    people.flushall()
    server.restart()
    lost = dispatcher.wait(HistoryLost)
    assert "behind the beginning" in lost.text
    assert lost.shots is None
    dispatcher.until_ok()
    dispatcher.commit(done("A", reason="no table is there"))
    snapshot = (table("A"), done("A", reason="as it stands"))
    assert dispatcher.commit(*snapshot) is Where.REDIS
    assert people.xrange("shotline:commits")[0][0] == f"{dispatcher.term}-0"  # still its term
    dispatcher.journal.close()
    assert start().loaded.shots[SHOT].records == snapshot


def test_an_emptied_redis_gets_everything_when_everything_is_kept(
    start: Callable[..., Dispatcher], people: redis.Redis, server: RedisServer
) -> None:
    dispatcher = start()
    records = (table("A"), done("A"))
    dispatcher.commit(*records)
    people.flushall()
    server.restart()
    assert dispatcher.wait(HistoryLost).shots == frozenset()
    dispatcher.until_ok()
    assert stored(people) == list(records)


def test_what_redis_has_lost_is_written_again_also_where_it_refuses_that_at_first(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    records = (table("A"), done("A"))
    for one in records:
        dispatcher.commit(one)
    people.flushall()
    people.config_set("maxmemory", "1")
    people.client_kill_filter(_type="normal", skipme=True)
    dispatcher.wait(HistoryLost)
    dispatcher.wait(JournalChanged, lambda changed: "refused a commit" in changed.text)
    people.config_set("maxmemory", "0")
    dispatcher.until_ok()
    assert stored(people) == list(records)


@pytest.mark.parametrize("how", ["flush", "older copy", "commits"])
def test_a_redis_that_was_emptied_under_a_connection_is_found_out_by_the_next_commit(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis, how: str
) -> None:
    dispatcher = start()
    dispatcher.commit(table("A"))
    raw = server.client()
    copies = {key: raw.dump(key) for key in raw.keys("shotline:*")}
    dispatcher.commit(done("A"), outputs=(OUTPUT,))
    if how == "flush":
        people.flushall()
    elif how == "older copy":
        raw.flushall()
        for key, copy in copies.items():
            raw.restore(key, 0, copy)
    else:
        people.delete("shotline:commits")
    assert dispatcher.commit(done("B")) is Where.REDIS
    lost = dispatcher.wait_told(HistoryLost)
    assert "has lost something" in lost.text
    assert lost.shots == frozenset(), "all is kept, and written again"
    dispatcher.until_ok()
    assert "has lost something" in dispatcher.texts[-1], "it stays to be read"
    assert stored(people) == [table("A"), done("A"), done("B")], "nothing is missing or doubled"
    assert len(people.lrange("shotline:TEST:42:output:A#1", 0, -1)) == 1
    dispatcher.commit(done("C"))
    raw.close()
    dispatcher.journal.close()
    assert done("C") in start().loaded.shots[SHOT].records


def test_an_emptied_redis_whose_commits_are_not_kept_is_written_anew_once(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start(keep_bytes_max=1)
    dispatcher.commit(table("A"), done("A"))
    people.flushall()
    assert dispatcher.commit(done("B")) is Where.REDIS
    assert dispatcher.wait_told(HistoryLost).shots is None
    snapshot = (table("A"), done("A"), done("B"))
    assert dispatcher.commit(*snapshot) is Where.REDIS
    dispatcher.until_ok()
    assert not [event for event in dispatcher.events if isinstance(event, HistoryLost)]
    dispatcher.journal.close()
    assert start().loaded.shots[SHOT].records == snapshot


@pytest.mark.parametrize("part", ["journal", "actions", "nodes", "runs"])
@pytest.mark.parametrize("how", ["gone", "wrong type"])
def test_a_key_that_was_lost_is_found_out_by_the_next_commit_of_its_shot(
    start: Callable[..., Dispatcher], people: redis.Redis, part: str, how: str
) -> None:
    first = start()
    first.commit(table("A"), opened(1, "A"), done("A"))
    first.journal.close()
    dispatcher = start()  # what it found at its start is known, too
    key = f"shotline:TEST:42:{part}"
    people.delete(key)
    if how == "wrong type":
        if part == "journal":
            return  # that refuses the commit as a whole
        people.set(key, "mine")
    assert dispatcher.commit(done("B")) is Where.REDIS
    lost = dispatcher.wait_told(HistoryLost)
    assert key in lost.text
    assert lost.shots == frozenset({SHOT})
    assert people.get(f"{key}:set-aside") == ("mine" if how == "wrong type" else None)
    assert dispatcher.commit(table("A"), opened(1, "A"), done("A"), done("B")) is Where.REDIS
    assert people.type(key) == ("stream" if part == "journal" else "hash")
    dispatcher.until_ok()
    assert not [event for event in dispatcher.events if isinstance(event, HistoryLost)]


def test_a_lost_key_of_the_system_is_found_out_by_any_commit(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(table("A"), opened(1, "A"))
    people.delete("shotline:open", "shotline:newest")
    dispatcher.commit(done("A"))
    lost = dispatcher.wait_told(HistoryLost)
    assert "shotline:open" in lost.text
    assert "shotline:newest" in lost.text
    assert lost.shots is None


def test_keys_that_go_in_order_are_not_lost(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    """A run's end, a reset, a shot that is forgotten and then heard of again."""
    dispatcher = start()
    dispatcher.commit(table("A"), opened(1, "A"), done("A"))
    dispatcher.commit(ended(1))
    assert not people.exists("shotline:open")
    dispatcher.commit(structs.replace(table("A"), reset=True))
    assert not people.exists("shotline:TEST:42:actions")
    dispatcher.commit(table("A"), shot=ShotKey("TEST", 43))
    dispatcher.journal.ask(ForgetShots((SHOT,)))
    assert dispatcher.wait(Forgotten).shots == (SHOT,)
    dispatcher.commit(done("A"))
    dispatcher.commit(done("A"), shot=ShotKey("TEST", 43))
    assert not [event for event in dispatcher.events if isinstance(event, HistoryLost)]
    assert dispatcher.texts == []


def test_a_stopped_redis_never_blocks_and_gets_each_commit_once(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    dispatcher = start(timeout_s=0.5, spill_bytes_max=1 << 26)
    dispatcher.commit(table("A"))
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        big = "x" * 20_000_000  # more than the socket takes
        assert dispatcher.commit(done("A0", reason=big)) is Where.SPILL
        assert "has not answered for 0.5 s" in dispatcher.text
        for number in range(1, 5):
            assert dispatcher.commit(done(f"A{number}")) is Where.SPILL
    finally:
        os.kill(server.pid, signal.SIGCONT)
    dispatcher.state(JournalState.OK)
    assert dispatcher.commit(done("A5")) is Where.REDIS
    paths = [record.path for record in stored(people) if isinstance(record, Transition)]
    assert paths == [f"A{number}" for number in range(6)]


def test_with_the_spill_file_full_nothing_is_written_until_redis_is_back(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    dispatcher = start(spill_bytes_max=2000)
    dispatcher.commit(table("A"))
    server.kill()
    dispatcher.state(JournalState.DEGRADED)
    assert dispatcher.commit(done("A0", reason="x" * 1000)) is Where.SPILL
    dispatcher.begin(done("A1", reason="x" * 1000))
    stopped = dispatcher.state(JournalState.STOPPED)
    assert "is full" in stopped.text
    assert not [event for event in dispatcher.events if isinstance(event, Written)]
    server.start()
    assert dispatcher.written().where is Where.REDIS
    dispatcher.state(JournalState.OK)
    paths = [record.path for record in stored(people) if isinstance(record, Transition)]
    assert paths == ["A0", "A1"]


def test_a_read_only_redis_degrades_the_journal_until_it_takes_commits_again(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(table("A"))
    people.replicaof("127.0.0.1", "1")
    assert dispatcher.commit(done("A0")) is Where.SPILL
    people.replicaof("NO", "ONE")
    dispatcher.state(JournalState.OK)
    assert [r.path for r in stored(people) if isinstance(r, Transition)] == ["A0"]


def test_a_redis_without_memory_degrades_the_journal_in_its_own_words(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    people.config_set("maxmemory", "1")
    dispatcher.begin(table("A"))
    assert "OOM" in dispatcher.state(JournalState.DEGRADED).text
    assert dispatcher.written().where is Where.SPILL
    people.config_set("maxmemory", "0")
    dispatcher.state(JournalState.OK)
    assert len(stored(people)) == 1


def test_a_key_of_the_wrong_type_loses_nothing(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    people.set("shotline:TEST:42:journal", "mine")
    assert dispatcher.commit(table("A")) is Where.SPILL
    people.delete("shotline:TEST:42:journal")
    dispatcher.state(JournalState.OK)
    assert len(stored(people)) == 1


def test_scripts_that_somebody_flushed_are_loaded_again(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    people.script_flush()
    assert dispatcher.commit(table("A")) is Where.REDIS
    people.script_flush()
    dispatcher.journal.ask(ForgetShots((SHOT,)))
    assert dispatcher.wait(Forgotten).shots == ()


def test_a_crash_of_dispatcher_and_redis_keeps_what_was_spilled(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    first = start()
    first.commit(table("A"), opened(1, "A"))
    server.kill()
    first.state(JournalState.DEGRADED)
    output = StoredOutput("TEST", 42, "A", 1, 0, ((5.0, 1, b"\xff\x00"),))
    assert first.commit(done("A"), outputs=(output,)) is Where.SPILL
    first.journal.close()
    with first.spill_file.open("ab") as torn:
        torn.write(b"\x00\x00\x00")
    server.start()
    second = start()
    assert second.loaded.shots[SHOT].records == (table("A"), opened(1, "A"), done("A"))
    assert second.loaded.shots[SHOT].lines == {("A", 1): 1}
    assert second.term == first.term + 1
    cut, replayed = second.loaded.warnings
    assert "ended with 3 bytes that are no whole commit" in cut
    assert "1 commits of the spill file" in replayed
    assert second.spill_file.stat().st_size == 0


def test_a_redis_that_was_started_anew_may_lack_its_end_until_somebody_vouches_for_it(
    start: Callable[..., Dispatcher], server: RedisServer
) -> None:
    first = start()
    assert not first.loaded.may_lack_end, "there was nothing that it could have lost"
    first.journal.vouch(time.monotonic())
    first.commit(table("A"))
    first.journal.close()
    second = start()
    assert not second.loaded.may_lack_end
    second.journal.close()
    server.kill()
    server.start()
    for _ in range(2):
        third = start()
        assert third.loaded.may_lack_end, "nobody has asked the servers"
        third.commit(done("A"))
        third.journal.close()
    fourth = start()
    fourth.journal.vouch(time.monotonic())
    server.kill()
    fourth.state(JournalState.DEGRADED)
    server.start()
    fourth.state(JournalState.OK)
    fourth.commit(done("A"))
    fourth.journal.close()
    assert not start().loaded.may_lack_end, "it has lived on, and written again what was lost"


def test_spilled_commits_of_a_superseded_dispatcher_are_set_aside(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    first = start("first")
    first.commit(table("A"))
    server.kill()
    first.state(JournalState.DEGRADED)
    first.commit(done("A"))
    first.journal.close()
    server.start()
    other = start("other", stands_still, timeout_s=SOON_S)
    other.journal.close()
    before = stored(people)
    third = start("first")
    assert third.term == other.term + 1
    assert stored(people) == before
    assert any("superseded" in text for text in third.loaded.warnings)
    aside = third.spill_file.with_name("journal.spill.set-aside-1")
    assert b"transition" in aside.read_bytes()


def test_two_dispatchers_do_not_share_a_spill_file(start: Callable[..., Dispatcher]) -> None:
    start()
    with pytest.raises(JournalError, match="another dispatcher uses the spill file"):
        start()


def test_without_redis_the_start_says_what_to_do(server: RedisServer, tmp_path: Path) -> None:
    server.stop()
    journal = RedisJournal(
        RedisSection(url=server.url, password_file=server.password_file, retry_s=0.01),
        JournalSection(spill_file=tmp_path / "spill"),
        COMMANDS_MAX,
    )
    with pytest.raises(JournalError, match=r"Redis at 127\.0\.0\.1:\d+/0 cannot be reached"):
        journal.load()
    journal.close()


def test_each_step_of_the_start_can_fail_and_be_tried_again(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis, tmp_path: Path
) -> None:
    """No Redis, a wrong password, no right to write, another's spill file: then it goes on."""
    other = start()
    other.commit(table("A"), done("A"))
    password = tmp_path / "password"
    password.write_text("wrong")
    password.chmod(0o600)
    journal = RedisJournal(
        RedisSection(url=server.url, password_file=password, retry_s=0.01),
        JournalSection(spill_file=other.spill_file),
        COMMANDS_MAX,
    )

    def fails_twice(why: str) -> None:
        for _ in range(2):
            with pytest.raises(JournalError, match=why):
                journal.load()

    fails_twice("another dispatcher uses the spill file")
    server.stop()
    fails_twice("another dispatcher uses the spill file")
    other.journal.close()
    fails_twice("cannot be reached")
    server.start()
    people.config_set("requirepass", "right")
    fails_twice("refuses the password")
    password.unlink()
    fails_twice("the secret in .* cannot be read: No such file")
    password.write_text("right")
    password.chmod(0o644)
    fails_twice(r"others than its owner may use .* \(mode 0644\)")
    password.chmod(0o600)
    fenced = start_with(people, "right")
    fenced.set("shotline:newest", "not a hash")
    fails_twice("failed while it was read: .*WRONGTYPE")
    fenced.delete("shotline:newest")
    fenced.close()
    loaded = journal.load()
    assert loaded.term > other.term
    journal.write(0.0, encode_commit(Commit(loaded.term, 1, {SHOT: (done("A", 2),)})))
    journal.close()


def start_with(people: redis.Redis, password: str) -> redis.Redis:
    """Return another connection to the same server, with this password."""
    options = people.connection_pool.connection_kwargs
    return redis.Redis(port=options["port"], password=password, decode_responses=True)


def test_a_database_that_redis_does_not_have_is_waited_for(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        url = server.url.removesuffix("0") + "99"
        journal = RedisJournal(
            RedisSection(url=url, password_file=server.password_file, retry_s=0.01),
            JournalSection(spill_file=tmp_path / "spill"),
            COMMANDS_MAX,
        )
        for _ in range(2):
            with pytest.raises(JournalError, match="DB index is out of range"):
                journal.load()
        journal.close()


def test_a_redis_that_was_away_for_hundreds_of_tries_is_found_again(server: RedisServer) -> None:
    server.kill()
    access = RedisSection(url=server.url, password_file=server.password_file)
    for _ in range(300):
        with pytest.raises(redis.ConnectionError, match="refused"):
            connect(access)
    server.start()
    connect(access).disconnect()


def test_settings_that_lose_data_are_named(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    people.config_set("maxmemory-policy", "allkeys-lru")
    people.config_set("appendonly", "no")
    policy, append = start().loaded.warnings
    assert "maxmemory-policy is allkeys-lru" in policy
    assert "appendonly is no" in append


def test_a_table_of_ten_thousand_actions(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    paths = [f"\\TEST::TOP.GROUP{number // 100}:ACTION_{number}" for number in range(10_000)]
    built = table(*paths)
    transitions = [done(path) for path in paths]
    assert dispatcher.commit(built, opened(1, *paths), *transitions) is Where.REDIS
    assert people.hlen("shotline:TEST:42:nodes") == 10_000
    assert people.hlen("shotline:TEST:42:actions") == 10_000
    dispatcher.journal.ask(ReadShot(5, SHOT))
    read = dispatcher.wait(ShotRead)
    assert read.records == (built, opened(1, *paths), *transitions)


def test_output_comes_back_byte_by_byte(start: Callable[..., Dispatcher]) -> None:
    dispatcher = start()
    every_byte = bytes(byte for byte in range(256) if byte != 10)
    pieces = (
        (1732285635.1234567, 1, every_byte),
        (1732285635.9999999, 2, b"\n\nthree lines, two of them empty"),
        (1732285636.0, 0, b""),
    )
    lines = [
        OutputLine(number=number, at=at, stream=stream, text=text)
        for number, (at, stream, text) in enumerate(
            (
                (pieces[0][0], 1, every_byte.decode("utf-8", "backslashreplace")),
                (pieces[1][0], 2, ""),
                (pieces[1][0], 2, ""),
                (pieces[1][0], 2, "three lines, two of them empty"),
                (pieces[2][0], 0, ""),
            )
        )
    ]
    path = "\\TEST::TOP:A#1"
    dispatcher.commit(outputs=(StoredOutput("TEST", 42, path, 2, 0, pieces),))
    dispatcher.journal.ask(ReadOutput(1, SHOT, path, 2, 0, 100))
    assert dispatcher.wait(OutputRead) == OutputRead(1, 2, (2,), tuple(lines))
    dispatcher.journal.ask(ReadOutput(2, SHOT, path, 2, 2, 2))
    assert dispatcher.wait(OutputRead) == OutputRead(2, 2, (2,), tuple(lines[2:4]), more=True)
    dispatcher.journal.ask(ReadOutput(3, SHOT, path, 1, 0, 100))
    assert dispatcher.wait(OutputRead) == OutputRead(3, 1, (2,))


def test_long_output_is_read_in_pages(start: Callable[..., Dispatcher]) -> None:
    dispatcher = start()
    first = 0
    for _ in range(3):
        pieces = tuple((5.0, 1, b"%d\n%d" % (n, n)) for n in range(10_000))
        dispatcher.commit(outputs=(StoredOutput("TEST", 42, "A", 1, first, pieces),))
        first += 20_000
    lines: list[OutputLine] = []
    pages = 0
    more = True
    while more:
        read = len(lines)
        dispatcher.journal.ask(ReadOutput(1, SHOT, "A", 1, 123 + read, 50_001 - read))
        page = dispatcher.wait(OutputRead)
        lines += page.lines
        pages += 1
        more = page.more and len(lines) < 50_001
    assert pages > 1
    assert [line.number for line in lines] == list(range(123, 50_124))
    assert all(line.text == str(line.number % 20_000 // 2) for line in lines)


def test_forgotten_shots_are_gone_and_open_ones_are_kept(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    output = StoredOutput("TEST", 1, "A", 1, 0, ((5.0, 1, b"one"),))
    old, held, newest, current = (ShotKey("TEST", shot) for shot in (1, 2, 3, 4))
    dispatcher.commit(table("A"), opened(1, "A"), ended(1), shot=old, outputs=(output,))
    dispatcher.commit(table("A"), opened(1, "A"), shot=held)
    dispatcher.commit(table("A"), shot=newest)
    dispatcher.commit(PulseCreated(time=5.0), shot=current)
    dispatcher.journal.ask(ForgetShots((old, held, newest, current)))
    assert dispatcher.wait(Forgotten).shots == (old,)
    assert not list(people.scan_iter("shotline:TEST:1:*"))
    assert people.zscore("shotline:shots", "TEST/1") is None
    assert len(stored(people, held)) == 2
    dispatcher.journal.ask(ReadShot(2, old))
    assert dispatcher.wait(ShotRead).records == ()


def test_requests_are_answered_while_redis_is_away(
    start: Callable[..., Dispatcher], server: RedisServer
) -> None:
    dispatcher = start()
    server.kill()
    dispatcher.state(JournalState.DEGRADED)
    dispatcher.journal.ask(ReadShot(1, SHOT))
    assert "is away" in dispatcher.wait(ShotRead).error


def test_requests_under_way_are_answered_when_the_connection_breaks(
    start: Callable[..., Dispatcher], server: RedisServer
) -> None:
    dispatcher = start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    dispatcher.journal.ask(ReadShot(1, SHOT))
    dispatcher.poll()
    server.kill()
    read = dispatcher.wait(ShotRead)
    assert read.query == 1
    assert read.error


def test_shotlines_of_different_prefixes_share_a_database(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    """Each has its own terms and shots; what one forgets, loses or repairs is its own."""
    usual = start()
    usual.commit(table("A"), done("A"), outputs=(OUTPUT,))
    before = everything(people)
    other = start(key_prefix="lab.b:x:", spill_file="b.spill")
    assert other.term == usual.term == 1
    assert not other.loaded.shots
    other.commit(table("B"), opened(1, "B"), outputs=(OUTPUT,))
    other.commit(done("B"), ended(1))
    other.commit(table("C"), shot=ShotKey("TEST", 43))
    theirs = {key for key in everything(people) if key not in before}
    assert theirs
    assert all(key.startswith("lab.b:x:") for key in theirs)
    people.delete("lab.b:x:TEST:42:actions")
    assert other.commit(done("C")) is Where.REDIS
    assert other.wait_told(HistoryLost).shots == frozenset({SHOT})
    other.journal.ask(ForgetShots((SHOT,)))
    assert other.wait(Forgotten).shots == (SHOT,)
    after = everything(people)
    assert not [key for key in after if key.startswith("lab.b:x:TEST:42:") and "aside" not in key]
    assert {key: value for key, value in after.items() if key in before} == before


def test_marks_are_records_like_others(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(Mark(time=7.0))
    assert stored(people) == [Mark(time=7.0)]


def audited(number: int, who: str = "anna") -> Audited:
    return Audited(
        id=f"{1000 + number}-0", time=float(number), who=who, verb="abort", outcome=Outcome.OK
    )


def read_audit(dispatcher: Dispatcher, **asked: object) -> AuditRead:
    more = {"wanted": lambda _: True, "limit": 1000, "bytes_max": 1 << 20} | asked
    dispatcher.journal.ask(ReadAudit(1, **more))  # type: ignore[arg-type]
    return dispatcher.wait(AuditRead)


def test_the_audit_is_read_back_from_the_newest_line_on(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    assert read_audit(dispatcher) == AuditRead(1)
    for first in range(0, 1000, 100):
        dispatcher.commit(system=tuple(map(audited, range(first, first + 100))))
    found = read_audit(dispatcher, limit=150)
    assert [line.id for line in found.lines[:2]] == ["1999-0", "1998-0"]
    assert found.next == found.lines[-1].id == "1850-0"
    rest = read_audit(dispatcher, before=found.next)
    assert [len(rest.lines), rest.next] == [850, None]
    newer = read_audit(dispatcher, after="1997-0")
    assert [line.id for line in newer.lines] == ["1999-0", "1998-0"]
    odd = read_audit(dispatcher, wanted=lambda line: int(line.time) % 250 == 0)
    assert [line.time for line in odd.lines] == [750.0, 500.0, 250.0, 0.0]
    few = read_audit(dispatcher, bytes_max=1000)
    assert 0 < len(few.lines) < 10
    assert few.next == few.lines[-1].id
    assert "audited" not in str(people.xrange("shotline:commits")), "they have their own stream"
    people.xadd("shotline:audit", {"note": "by hand"}, id="5000-0")
    assert read_audit(dispatcher, limit=1).lines[0].id == "1999-0"
    dispatcher.journal.close()
    assert start("another").loaded.audited == "5000-0"


def test_a_few_thousand_lines_are_looked_at_in_one_go(start: Callable[..., Dispatcher]) -> None:
    dispatcher = start()
    for first in range(0, 4000, 500):
        dispatcher.commit(system=tuple(map(audited, range(first, first + 500))))
    found = read_audit(dispatcher, wanted=lambda line: line.time == 0)
    assert found.lines == ()
    assert found.next is not None
    assert len(read_audit(dispatcher, wanted=lambda line: line.time == 0, before=found.next).lines)


def test_the_audit_is_trimmed_by_number_and_age(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    dispatcher = start()
    for first in range(0, 1000, 100):
        dispatcher.commit(system=tuple(map(audited, range(first, first + 100))))
    dispatcher.journal.ask(TrimAudit(10_000, "1500-0"))
    assert dispatcher.wait(AuditTrimmed) == AuditTrimmed()
    assert 500 <= people.xlen("shotline:audit") <= 600  # in whole pieces
    dispatcher.journal.ask(TrimAudit(100, "0-0"))
    dispatcher.wait(AuditTrimmed)
    assert 100 <= people.xlen("shotline:audit") <= 200


def test_the_audit_is_in_the_spill_file_and_is_written_again_once(
    start: Callable[..., Dispatcher], server: RedisServer, people: redis.Redis
) -> None:
    dispatcher = start()
    dispatcher.commit(system=(audited(1),))
    server.kill()
    dispatcher.state(JournalState.DEGRADED)
    assert dispatcher.commit(system=(audited(2), audited(3))) is Where.SPILL
    server.start()
    dispatcher.until_ok()
    assert [line.id for line in read_audit(dispatcher).lines] == ["1003-0", "1002-0", "1001-0"]
    people.delete("shotline:commits")  # all that is kept is written again
    dispatcher.commit(system=(audited(4),))
    dispatcher.until_ok()
    assert [line.time for line in read_audit(dispatcher).lines] == [4.0, 3.0, 2.0, 1.0]


def test_where_something_else_stands_the_shot_goes_on_without_an_audit(
    start: Callable[..., Dispatcher], people: redis.Redis
) -> None:
    people.set("shotline:audit", "a note")
    dispatcher = start()
    assert dispatcher.commit(done("A"), system=(audited(1),)) is Where.REDIS
    assert dispatcher.wait_told(JournalChanged).state is JournalState.DEGRADED
    assert "shotline:audit" in dispatcher.text
    assert "WRONGTYPE" in read_audit(dispatcher).error
    assert stored(people) == [done("A")]
