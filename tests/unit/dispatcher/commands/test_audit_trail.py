"""The audit: who has asked for what, from where, and what came of it; nothing secret in it."""

import json

import msgspec
import pytest
from tests.support.dispatching import CLIENT, KEY, Bench
from tests.support.tables import action

from shotline.client.testing.dispatcher import BROKER_AHEAD_S
from shotline.common import commands as c
from shotline.common.audit_words import said
from shotline.common.channels import AUDIT
from shotline.common.codec import as_part
from shotline.common.messages import Behalf, Outcome, Request, TurnedAway, Via, Vouched
from shotline.common.nodes import SourceMark
from shotline.common.queue.commands import QueueAdd
from shotline.common.queue.plans import PlanPhase, PulsePlan
from shotline.common.records import Audited, PulseCreated, RunOpened, ShotKey
from shotline.common.views import AuditEvent, AuditResult, decode_result
from shotline.common.volumes.commands import (
    RecordsComplete,
    RecordsLease,
    RecordsRenew,
    RecordsScan,
    RecordsWatch,
)
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j

ALICE = Behalf(name="alice", via=Via.LOGIN, address="10.0.0.7")


def small() -> Bench:
    return Bench(action("ONE"), action("TWO")).register("SRV_A:1").build()


def lines(bench: Bench, verb: str = "") -> list[Audited]:
    return [line for line in bench.store.audit if verb in ("", line.verb)]


def give(
    bench: Bench,
    command: c.AnyCommand,
    *,
    user: str = "fusion@control",
    behalf: Behalf | None = None,
    sender: Vouched | None = None,
    lifetime_s: float = 60.0,
) -> Request:
    request = msgspec.structs.replace(
        bench.request(command, lifetime_s=lifetime_s), user=user, behalf=behalf
    )
    before = (sender,) if sender is not None else ()
    bench.handle(d.FromBroker(CLIENT, (*before, request)))
    return request


def test_a_command_is_told_with_who_from_where_when_what_and_what_came_of_it() -> None:
    bench = small()
    sender = Vouched(key="console", address="192.168.1.4")
    request = give(bench, c.DoPhase(phase="INIT"), behalf=ALICE, sender=sender)
    (line,) = lines(bench, "do_phase")
    assert (line.who, line.via, line.browser) == ("alice", Via.LOGIN, "10.0.0.7")
    assert (line.program, line.key, line.address) == ("fusion@control", "console", "192.168.1.4")
    assert (line.time, line.tree, line.shot) == (bench.wall, None, None)
    assert json.loads(line.arguments) == {"phase": "INIT"}
    assert (line.outcome, line.request) == (Outcome.OK, request.id)
    assert "run 1" in line.message
    assert line.duration_s == 0
    assert line.id == f"{int(bench.wall * 1000)}-{line.id.partition('-')[2]}"


def test_what_consumers_and_watchers_say_all_the_time_is_not_told() -> None:
    bench = small()
    bench.configure(volumes={"folders": {"RAW": {"folder": "/raw"}}, "consumers": {"filter": {}}})
    give(bench, RecordsLease(group="filter", consumer="one"))
    give(bench, RecordsRenew(consumer="one"))
    give(bench, RecordsComplete(consumer="one", tokens=("1-1-1",)))
    watch = RecordsWatch(volume="RAW", host="data1", memory="m", folder="/raw")
    give(bench, watch)
    assert lines(bench, "records_lease") + lines(bench, "records_watch") == []
    give(bench, RecordsScan(volume="RAW"))
    (line,) = [one for one in lines(bench) if one.verb.startswith("records_")]
    assert line.verb == "records_scan"
    routine = {verb for verb, kind in c.VERBS.items() if kind.ROUTINE}
    consumers = {"lease", "renew", "complete", "return", "credit", "leave"}
    watchers = {"announce", "gone", "watch"}
    told = {f"records_{name}" for name in consumers | watchers}
    assert routine == {*told, "import_piece"}  # the audit has the import, not its pieces


def test_without_anybody_else_it_is_the_program_s_own_user() -> None:
    bench = small()
    give(bench, c.Abort(tree="T", shot=1))
    (line,) = lines(bench, "abort")
    assert (line.who, line.via, line.program) == ("fusion@control", Via.PROGRAM, "fusion@control")
    assert (line.tree, line.shot, line.key) == ("T", 1, "")


def test_a_line_is_in_the_commit_that_has_the_effect() -> None:
    bench = small()
    bench.writes = False
    bench.ask(c.DoPhase(phase="INIT", wait=True))
    commit = bench.commits[-1].commit
    assert any(isinstance(one, RunOpened) for one in commit.shots[KEY].records)
    (line,) = (one for one in commit.system.records if isinstance(one, Audited))
    assert line.outcome is Outcome.ACCEPTED
    assert line.duration_s is None


def test_what_takes_long_has_a_line_when_it_begins_and_one_when_it_ends() -> None:
    bench = small()
    bench.answers_jobs = False
    give(bench, c.CreatePulse(tree="T", shot=7))
    (begun,) = (line for line in bench.store.audit if line.shot == 7)
    assert begun.outcome is Outcome.ACCEPTED
    assert bench.jobs, "what is done outside leaves behind the line that says who asked for it"
    bench.pass_time(2.5).answer_jobs()
    ended = lines(bench, "create_pulse")[-1]
    assert (ended.outcome, ended.duration_s, ended.request) == (Outcome.OK, 2.5, begun.request)
    assert any(isinstance(one, PulseCreated) for one in bench.store.shots[ShotKey("T", 7)])


def test_a_refused_command_is_told() -> None:
    bench = small()
    bench.ask(c.Resume())
    (line,) = lines(bench, "resume")
    assert line.outcome is Outcome.REFUSED
    assert "no run" in line.message or "HELD" in line.message


def test_an_expired_command_is_told() -> None:
    bench = small()
    give(bench, c.Abort(), lifetime_s=-1.0)
    (line,) = lines(bench, "abort")
    assert line.outcome is Outcome.REFUSED
    assert "expired" in line.message


def test_a_repeated_command_is_told_once() -> None:
    bench = small()
    for _ in range(3):
        bench.ask(c.Abort(), "the-same-command")
    assert len(lines(bench, "abort")) == 1


def test_what_came_while_the_dispatcher_recovered_is_told() -> None:
    bench = small().restart()
    request = give(bench, c.Abort(), behalf=ALICE, sender=Vouched(address="10.9.9.9"))
    assert lines(bench, "abort") == []
    bench.recover()
    (line,) = lines(bench, "abort")
    assert (line.who, line.address, line.request) == ("alice", "10.9.9.9", request.id)


@pytest.mark.parametrize(
    "command",
    [
        c.SystemStatus(),
        c.Servers(),
        c.Actions(),
        c.Check(),
        c.ReadTree(),
        c.Snapshot(channel="servers"),
        c.Audit(),
    ],
)
def test_what_only_looks_is_not_told(command: c.AnyCommand) -> None:
    bench = small()
    before = len(bench.store.audit)
    bench.ask(command)
    assert len(bench.store.audit) == before


def test_what_may_look_and_change_is_told_where_it_changes() -> None:
    bench = small()
    bench.ask(c.Check(reset=True))
    assert len(lines(bench, "check")) == 1


@pytest.mark.parametrize("body", [b"", b"{", b'{"verb":"abort","nonsense":1}'])
def test_what_is_no_command_fills_nothing(body: bytes) -> None:
    bench = small()
    before = len(bench.store.audit), len(bench.commits)
    deadline_s = bench.now + BROKER_AHEAD_S + 60.0
    request = Request(id="wrong-0001", verb="abort", deadline_s=deadline_s, command=body)
    bench.handle(d.FromBroker(CLIENT, (request,)))
    assert (len(bench.store.audit), len(bench.commits)) == before


def test_secrets_and_large_bodies_are_not_told() -> None:
    bench = small()
    bench.ask(c.ClearUrl(url="mdsip://operator:hunter2@host:8000/"))
    bench.ask(c.Abort(path="P" * 1024))
    assert "hunter2" not in str(bench.store.audit)
    assert "hunter2" not in str([say.text for say in bench.said if say.text.startswith("audit")])
    (line,) = lines(bench, "abort")
    assert len(line.arguments) < 300


def test_of_very_many_plans_a_few_are_told_and_no_key() -> None:
    plan = PulsePlan(experiment="T", phases=(PlanPhase(phase="INIT"),), parameters={"token": "abc"})
    command = QueueAdd(plans=(plan,) * 5000, lock_key="hunter2")
    told = said(command)
    assert "hunter2" not in told
    assert "abc" not in told
    assert len(told) <= 1000
    assert "and 4990 more" in told


def test_it_is_in_the_log_too() -> None:
    bench = small()
    give(bench, c.Abort(), behalf=ALICE, sender=Vouched(key="page", address="127.0.0.1"))
    (said,) = [say.text for say in bench.said if "abort" in say.text and "audit" in say.text]
    assert said.startswith(
        "audit: alice (login) at 10.0.0.7 by fusion@control with the key page from 127.0.0.1: abort"
    )
    assert "ok, no run is open" in said


def test_what_the_broker_turned_away_is_told_and_never_carried_out() -> None:
    bench = small()
    request = msgspec.structs.replace(bench.request(c.DoPhase(phase="INIT")), user="eve@lab")
    told = TurnedAway(
        key="watcher",
        address="10.1.1.1",
        verb="do_phase",
        outcome=Outcome.REFUSED,
        text="do_phase is not for the role viewer",
        request=bytes(as_part(request)),
        untold=3,
    )
    bench.handle(d.FromBroker(b"", (told,)))
    (line,) = lines(bench, "do_phase")
    assert (line.who, line.key, line.address) == ("eve@lab", "watcher", "10.1.1.1")
    assert (line.outcome, line.untold) == (Outcome.REFUSED, 3)
    assert json.loads(line.arguments) == {"phase": "INIT"}
    assert bench.machine.core.shots[KEY].runs == {}


@pytest.mark.parametrize("request_", [b"", b"\xc1", bytes(as_part(Vouched()))])
def test_what_was_turned_away_unreadable_is_told_by_its_verb(request_: bytes) -> None:
    bench = small()
    told = TurnedAway(verb="abort", outcome=Outcome.REFUSED, text="no", request=request_)
    bench.handle(d.FromBroker(b"", (told,)))
    (line,) = lines(bench, "abort")
    assert (line.who, line.message) == ("", "no")


def test_only_the_broker_may_say_what_it_has_turned_away() -> None:
    bench = small()
    told = TurnedAway(verb="abort", outcome=Outcome.REFUSED, text="no")
    bench.handle(d.FromBroker(b"SRV_A:1/one", (told,)))
    assert lines(bench, "abort") == []


def test_what_the_page_tells_is_a_line_of_its_own() -> None:
    bench = small()
    note = c.NoteAccess(
        what="login", outcome=Outcome.REFUSED, message="a wrong password", at=12.0, untold=4
    )
    give(bench, note, user="shotline@page", behalf=ALICE)
    (line,) = lines(bench, "login")
    assert (line.who, line.browser, line.time) == ("alice", "10.0.0.7", 12.0)
    assert (line.outcome, line.message, line.untold) == (Outcome.REFUSED, "a wrong password", 4)
    assert lines(bench, "note_access") == []


# Reading it


def read(bench: Bench, **asked: object) -> AuditResult:
    reply = bench.told(msgspec.convert(asked, c.Audit))
    assert reply.outcome is Outcome.OK, reply
    result = decode_result(reply.result)
    assert isinstance(result, AuditResult)
    return result


def many() -> Bench:
    bench = small()
    for number in range(5):
        bench.pass_time(1.0)
        give(bench, c.Hold(tree="T", shot=1), behalf=Behalf(name=f"user{number}"))
    return bench


def test_lines_are_read_the_newest_first_page_by_page() -> None:
    bench = many()
    first = read(bench, limit=3)
    assert [line.who for line in first.lines] == ["user4", "user3", "user2"]
    rest = read(bench, before=first.next)
    assert [line.who for line in rest.lines[:2]] == ["user1", "user0"]
    assert rest.next is None


def test_lines_are_chosen() -> None:
    bench = many()
    give(bench, c.Abort(), sender=Vouched(key="Console-3", address="10.7.7.7"))
    assert [line.verb for line in read(bench, command="abort").lines] == ["abort"]
    assert [line.who for line in read(bench, who="USER3").lines] == ["user3"]
    assert len(read(bench, who="console-3").lines) == 1
    assert len(read(bench, who="10.7.7").lines) == 1
    assert {line.outcome for line in read(bench, outcome="refused").lines} == {Outcome.REFUSED}
    assert {line.tree for line in read(bench, tree="t", shot=1).lines} == {"T"}
    assert read(bench, tree="t", shot=2).lines == ()
    assert len(read(bench, since=bench.wall - 1.5).lines) == 3


def test_what_is_newer_than_a_line_is_asked_for() -> None:
    bench = many()
    newest = read(bench, limit=2).lines
    assert [one.id for one in read(bench, after=newest[1].id).lines] == [newest[0].id]
    assert read(bench, after=newest[0].id).lines == ()


def test_what_cannot_be_read_now_is_refused() -> None:
    bench = small()
    bench.answers_jobs = False
    bench.ask(c.Audit(), "read-audit")
    bench.answer_jobs("Redis is away")
    (reply,) = bench.replies_to("read-audit")
    assert reply.outcome is Outcome.REFUSED
    assert "Redis is away" in reply.message


def test_ids_only_rise_whatever_clocks_do() -> None:
    bench = many()
    later = bench.restart(after_s=-86_400.0, recover=True)
    later.ask(c.Abort())
    ids = [tuple(map(int, line.id.split("-"))) for line in later.store.audit]
    assert ids == sorted(set(ids))


def test_observers_hear_that_there_are_lines_and_not_what_they_say() -> None:
    bench = small().pass_time(1.0)
    bench.events.clear()
    for _ in range(3):
        give(bench, c.Abort(), behalf=ALICE)
    bench.pass_time(1.0)
    (event,) = [event for event in bench.events if event.channel == AUDIT]
    assert event.payload == msgspec.json.encode(AuditEvent(last=bench.store.audit[-1].id))


def test_it_is_kept_within_its_limits() -> None:
    bench = small().configure(journal={"audit_lines_max": 77, "audit_days": 2})
    bench.left.clear()
    bench.pass_time(3601.0)
    (trim,) = [one for one in bench.left if isinstance(one, j.TrimAudit)]
    assert trim.keep == 77
    oldest_ms = int(trim.before.partition("-")[0])
    assert bench.wall - oldest_ms / 1000 == pytest.approx(2 * 86_400, abs=10.0)
    bench.left.clear()
    for _ in range(1001):
        bench.ask(c.Abort())
    assert any(isinstance(one, j.TrimAudit) for one in bench.left)


def records_of(commit: d.WriteCommit) -> tuple[object, ...]:
    found = commit.commit.shots.get(KEY)
    return () if found is None else found.records


def test_a_run_that_is_answered_later_is_told_in_its_own_commit() -> None:
    """Also where its sources are looked at meanwhile, and nobody waits for its end."""
    bench = Bench(action("ONE")).register("SRV_A:1")
    bench.marks = (SourceMark(what="the tree", mark="A"),)
    bench.build()
    bench.answers_jobs = False
    bench.ask(c.DoPhase(phase="INIT"), "a-run-0001")
    (opened,) = (
        commit.commit
        for commit in bench.commits
        if any(isinstance(one, RunOpened) for one in records_of(commit))
    )
    assert [one.request for one in opened.system.records if isinstance(one, Audited)] == [
        "a-run-0001"
    ]
    bench.answer_jobs().pass_time(1.0)
    assert bench.replies_to("a-run-0001")
    assert [line.outcome for line in lines(bench, "do_phase")] == [Outcome.OK]
