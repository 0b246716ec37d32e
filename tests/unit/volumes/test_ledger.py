"""The ledger by itself: who gets what, and that its records make the same state again."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

from shotline.common.base import to_json
from shotline.common.commands import BuildTables, DispatchAction
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.queue.commands import QueueAdd
from shotline.common.settings.configuration import Config
from shotline.common.volumes import commands as r
from shotline.common.volumes import views as v
from shotline.common.volumes.files import FileSeen, Part
from shotline.common.volumes.records import LedgerRecord, decode_ledger_records
from shotline.volumes.events import (
    AnswerTo,
    CommandAnswered,
    Give,
    Keep,
    LedgerAnswer,
    LedgerInput,
    LedgerOutput,
    Operation,
    Recovered,
    TimePassed,
)
from shotline.volumes.machine import DataLedger

V = TypeVar("V")
GROUPS: dict[str, object] = {
    "plain": {"lease_s": 10.0, "max_attempts": 2, "retry_delays_s": [5.0]},
    "asked": {"credits": True},
    "own": {"hosts": "own"},
    "prefer": {"hosts": "prefer"},
    "ordered": {"ordered": True},
    "few": {"leases_per_consumer": 2},
}
RULES = {
    "phase": {
        "volume": "A",
        "then": {"experiment": "{tree}", "shot": "{shot}", "phase": "STORE", "create": True},
    },
    "action": {"volume": "A", "then": {"experiment": "T", "shot": "{shot}", "action": "{act}"}},
    "plan": {"volume": "A", "then": {"plan": "ohmic", "parameters": {"file": "{path}", "n": 2}}},
} | {name: {"volume": "A", "pattern": name, "then": {"consumers": [name]}} for name in GROUPS}
CONFIG = Config.model_validate(
    {
        "volumes": {
            "folders": {"A": {"folder": "/a"}, "B": {"folder": "/b"}},
            "consumers": GROUPS,
            "rules": RULES,
            "consumer_lost_s": 30.0,
        }
    }
)


class Book:
    """A ledger, what it has journalled, and a clock that goes on when it is told to."""

    def __init__(self, records: Sequence[LedgerRecord] = (), now: float = 100.0) -> None:
        self.now = now
        self.ledger = DataLedger(CONFIG, self.instant)
        self.ledger.load(records)
        self.kept: list[LedgerRecord] = list(records)
        self.given: list[Give] = []
        self.told: dict[str, LedgerAnswer] = {}
        self.number = self.announced = 0
        self.handle(Recovered())

    @property
    def instant(self) -> Instant:
        return Instant(self.now, 1_700_000_000.0 + self.now)

    def handle(self, event: LedgerInput) -> None:
        self._take(self.ledger.handle(self.instant, event))

    def ask(self, command: r.AnyRecordsCommand, kind: type[V], id: str = "") -> V:  # noqa: A002
        """Give a command, whose answer is there at once."""
        self.number += 1
        answer, output = self.ledger.operate(
            self.instant, Operation(id or f"c{self.number}", command, "anna")
        )
        self._take(output)
        assert answer is not None
        assert isinstance(answer.result, kind), answer
        return answer.result

    def _take(self, output: Sequence[LedgerOutput]) -> None:
        for one in output:
            match one:
                case Keep(record):
                    self.kept += decode_ledger_records(b"[" + to_json(record) + b"]")
                case Give():
                    self.given.append(one)
                case AnswerTo(command, _, answer):
                    self.told[command] = answer
        self.ledger.core.fold.check()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.ledger.wake_at()) is not None and due <= until:
            self.now = max(due, self.now)
            self.handle(TimePassed())
        self.now = until

    def again(self) -> "Book":
        """Return the next life, of what is journalled; whole states must be the same."""
        book = Book(self.kept, self.now + 1)
        assert whole(book) == whole(self)
        book.announced = self.announced
        return book

    def announce(self, rule: str, *paths: str, volume: str = "A", **fields: object) -> None:
        files = tuple(
            FileSeen(
                **(
                    {"path": p, "generation": "1", "size_b": 1, "modified_at": 0.0}
                    | {"rule": rule}
                    | fields
                )
            )  # type: ignore[arg-type]
            for p in paths
        )
        command = r.RecordsAnnounce(
            volume=volume,
            host=f"host{volume}",
            folder="/f",
            memory="m",
            number=self.announced + 1,
            files=files,
        )
        told = self.ask(command, v.AnnouncedResult)
        self.announced = told.number

    def lease(self, group: str, consumer: str = "one", **more: object) -> tuple[v.LeaseView, ...]:
        command = r.RecordsLease(group=group, consumer=consumer, **more)  # type: ignore[arg-type]
        return self.ask(command, v.LeasesResult).leases

    def fate(self, command: r.RecordsComplete | r.RecordsReturn) -> str:
        (answer,) = self.ask(command, v.TokensResult).answers
        return answer.fate


def whole(book: Book) -> tuple[LedgerRecord, ...]:
    """Return the whole state that a ledger is in."""
    fold = book.ledger.core.fold
    return (*fold.parts(lambda: 0.0, 1_000_000), fold.kept(0.0))


def paths(leases: Sequence[v.LeaseView]) -> list[str]:
    return [lease.path for lease in leases]


def test_a_repeated_lease_is_answered_with_the_same_records() -> None:
    book = Book()
    book.announce("plain", "a", "b")
    command = r.RecordsLease(group="plain", consumer="one")
    (first,) = book.ask(command, v.LeasesResult, "same").leases
    book = book.again()
    (again,) = book.ask(command, v.LeasesResult, "same").leases
    assert (again.token, again.path) == (first.token, "a")
    (other,) = book.ask(command, v.LeasesResult, "another").leases
    assert other.path == "b"


def test_a_lease_that_runs_out_is_offered_after_a_while_and_then_dead() -> None:
    book = Book()
    book.announce("plain", "a")
    (lease,) = book.lease("plain")
    book.wait(10)
    assert book.lease("plain") == ()
    book.wait(5)
    (second,) = book.lease("plain", "two")
    assert second.attempt == 2
    late = r.RecordsComplete(consumer="one", tokens=(lease.token,))
    assert book.fate(late) == "superseded"
    book.ask(r.RecordsRenew(consumer="two", tokens=(second.token,)), v.TokensResult)
    book.wait(9)
    assert book.ledger.core.fold.volumes["A"].counted().leased == 1
    book.wait(1)
    book = book.again()
    assert book.ledger.core.fold.volumes["A"].counted().dead == 1
    assert book.ask(r.RecordsRedrive(group="plain"), v.RecordsChangedResult).records == 1
    (third,) = book.lease("plain")
    assert (third.attempt, third.token in (lease.token, second.token)) == (1, False)
    assert book.fate(late) == "superseded"
    assert book.fate(r.RecordsComplete(consumer="one", tokens=(third.token,))) == "ok"
    assert book.fate(r.RecordsComplete(consumer="one", tokens=(third.token,))) == "duplicate"
    assert book.fate(r.RecordsComplete(consumer="one", tokens=("x-1-1",))) == "unknown"


def test_credits_are_spent_and_die_with_their_consumer() -> None:
    book = Book()
    book.announce("asked", "a", "b", "c")
    found = book.ask(r.RecordsLease(group="asked", consumer="reader"), v.LeasesResult)
    assert (found.leases, found.code) == ((), "no_credit")
    for name in ("filter 1", "filter 2"):
        command = r.RecordsCredit(group="asked", consumer=name)
        book.ask(command, v.RecordsChangedResult)
    book = book.again()
    assert paths(book.lease("asked", "reader", limit=5)) == ["a", "b"]
    book.ask(r.RecordsCredit(group="asked", consumer="filter 1", credits=3), v.RecordsChangedResult)
    book.wait(29)
    book.ask(r.RecordsRenew(consumer="filter 1"), v.TokensResult)
    book.wait(29)
    assert book.ledger.core.fold.credits["asked"] == {"filter 1": 3}
    book.wait(2)
    assert book.ledger.core.fold.credits["asked"] == {}
    assert book.lease("asked", "reader") == ()


def test_data_stays_on_its_host_where_the_group_says_so() -> None:
    book = Book()
    for group in ("own", "prefer"):
        book.announce(group, f"{group} 1", volume="A")
    book.announced = 0
    for group in ("own", "prefer"):
        book.announce(group, f"{group} 2", volume="B")
    assert paths(book.lease("own", "b", host="hostB", limit=5)) == ["own 2"]
    assert paths(book.lease("prefer", "b", host="hostB", limit=5)) == ["prefer 2", "prefer 1"]
    assert book.lease("own", "c", host="hostC") == ()


def test_of_a_key_one_record_is_leased_at_a_time_and_in_order() -> None:
    book = Book()
    for number, key in enumerate("xxyx"):
        book.announce("ordered", f"{number}", key=key)
    (first, other) = book.lease("ordered", limit=5)
    assert paths((first, other)) == ["0", "2"]
    book.ask(r.RecordsReturn(consumer="one", tokens=(first.token,), delay_s=5.0), v.TokensResult)
    assert book.lease("ordered") == ()
    book.wait(5)
    assert paths(book.lease("ordered", limit=5)) == ["0"]


def test_a_consumer_has_no_more_than_its_group_allows_and_gives_all_back_when_it_leaves() -> None:
    book = Book()
    book.announce("few", "a", parts=tuple(Part(name=str(n)) for n in range(5)))
    assert len(book.lease("few", limit=5)) == 2
    found = book.ask(r.RecordsLease(group="few", consumer="one"), v.LeasesResult)
    assert found.code == "limit"
    assert book.ask(r.RecordsLeave(consumer="one"), v.RecordsChangedResult).records == 2
    assert len(book.lease("few", "two", limit=5)) == 2


def test_who_waits_gets_what_comes_and_an_answer_when_nothing_does() -> None:
    book = Book()
    command = r.RecordsLease(group="plain", consumer="one", wait=20.0)
    answer, output = book.ledger.operate(book.instant, Operation("w1", command, ""))
    assert (answer, list(output)) == (None, [])
    book.wait(20)
    result = book.told["w1"].result
    assert isinstance(result, v.LeasesResult)
    assert result.leases == ()
    book.ledger.operate(book.instant, Operation("w2", command, ""))
    book.announce("plain", "a")
    result = book.told["w2"].result
    assert isinstance(result, v.LeasesResult)
    assert paths(result.leases) == ["a"]


def test_a_gap_and_too_much_are_refused_and_change_nothing() -> None:
    book = Book()
    book.announce("plain", "a")
    file = FileSeen(path="b", generation="1", size_b=1, modified_at=0.0, rule="plain")
    for number, memory, code in ((3, "m", "gap"), (1, "m", "")):
        command = r.RecordsAnnounce(
            volume="A", host="h", folder="/", memory=memory, number=number, files=(file,)
        )
        if code:
            refused = book.ask(command, v.RecordsRefused)
            assert (refused.code, refused.number) == (code, 1)
        else:
            assert book.ask(command, v.AnnouncedResult).records == 0
    unknown = r.RecordsGone(volume="C", paths=("a",))
    assert book.ask(unknown, v.RecordsRefused).code == "unknown_volume"
    assert book.ledger.core.fold.volumes["A"].counted().announced == 1


def test_what_a_rule_runs_is_given_again_under_the_same_ids_and_once_only() -> None:
    book = Book()
    book.announce("phase", "t_7.tree", fields={"tree": "t", "shot": "7"})
    verbs = []
    for outcome in (Outcome.REFUSED, Outcome.OK, Outcome.OK):
        (give,) = book.given
        before, book = book, book.again()
        assert [one.id for one in book.given] == [give.id], "the dispatcher knows what it did"
        verbs.append(give.command.verb)
        book.given.clear()
        book.handle(CommandAnswered(give.id, outcome, "", exists=outcome is Outcome.REFUSED))
        del before
    assert verbs == ["create_pulse", "build_tables", "do_phase"]
    assert book.given == []
    assert book.ledger.core.fold.volumes["A"].counted().done == 1
    assert book.again().given == []


def test_a_rule_that_is_refused_tries_again_and_one_that_failed_does_not() -> None:
    book = Book()
    book.announce("phase", "t_7.tree", fields={"tree": "t", "shot": "7"})
    first = book.given.pop()
    book.handle(CommandAnswered(first.id, Outcome.REFUSED, "busy"))
    assert book.given == []
    book.wait(2)
    second = book.given.pop()
    assert second.id != first.id
    book.handle(CommandAnswered(second.id, Outcome.FAILED, "it failed"))
    book.wait(100)
    assert book.given == []
    (dead,) = book.ledger.core.fold.items.values()
    assert (dead.state, dead.reason) == ("dead", "it failed")
    book.announce("phase", "nothing is known of it")
    (_, unknown) = book.ledger.core.fold.items.values()
    assert unknown.state == "dead"
    assert "'tree'" in unknown.reason


@pytest.mark.parametrize(
    ("rule", "verbs"),
    [("action", ["build_tables", "dispatch"]), ("plan", ["queue_add"])],
)
def test_a_rule_runs_an_action_or_a_plan_once_for_each_generation(
    rule: str, verbs: list[str]
) -> None:
    book = Book()
    given: list[Give] = []

    def went_on() -> Book:
        """Do what is given, and be killed before each answer; announce all of it again."""
        now = book
        while now.given:
            now = now.again()
            (give,) = now.given
            given.append(give)
            now.given.clear()
            now.handle(CommandAnswered(give.id, Outcome.OK, ""))
        return now

    for generation in ("1", "1", "2"):
        fields = {"shot": "7", "act": "CTRL:A"}
        book.announce(rule, "t_7.tree", generation=generation, fields=fields)
        book = went_on()
    by_id = {one.id: one.command for one in given}
    assert [one.verb for one in by_id.values()] == 3 * verbs, "done ones are not remembered"
    assert book.ledger.core.fold.volumes["A"].counted().done == 3
    last = given[-1].command
    if isinstance(last, DispatchAction):
        assert (last.tree, last.shot, last.path) == ("T", 7, "CTRL:A")
        (build, *_) = (one.command for one in given)
        assert isinstance(build, BuildTables)
        assert build.variables["record"]["path"] == "t_7.tree"
    else:
        assert isinstance(last, QueueAdd)
        assert last.plans[0].parameters == {"file": "t_7.tree", "n": 2}


def test_a_file_has_its_whole_story_after_every_restart() -> None:
    book = Book()
    book.announce("plain", "a", "b")
    (lease,) = book.lease("plain", "one")
    give_back = r.RecordsReturn(consumer="one", tokens=(lease.token,), delay_s=3.0, reason="busy")
    assert book.fate(give_back) == "ok"
    book.wait(3)
    (lease,) = book.lease("plain", "two")
    no = r.RecordsReturn(consumer="two", tokens=(lease.token,), never=True, reason="no beam")
    assert book.fate(no) == "ok"
    book.ask(r.RecordsRedrive(volume="A"), v.RecordsChangedResult)
    (lease,) = book.lease("plain", "three")
    book.ask(r.RecordsRemove(volume="A", path="a", reason="moved"), v.AnnouncedResult)
    assert book.fate(r.RecordsComplete(consumer="three", tokens=(lease.token,))) == "ok"
    for life in (book, book.again(), book.again().again()):
        told = life.ask(r.RecordsFile(volume="A", path="a"), v.RecordsFileResult)
        assert [one.text for one in told.story] == [
            "announced by rule plain",
            "leased to one (plain)",
            "offered again in 3 s: one: busy (plain)",
            "leased to two (plain)",
            "dead: two: no beam (plain)",
            "redriven by anna (plain)",
            "leased to three (plain)",
            "moved (anna) (plain)",
            "completed by three (plain)",
        ]


def test_killed_at_every_record_a_ledger_goes_on_where_it_was_and_all_gets_done() -> None:
    book = Book()
    book.announce("plain", "a", "b")
    book.announce("phase", "t_7.tree", fields={"tree": "t", "shot": "7"})
    book.announce("ordered", "c", "d", run=3)
    for give in book.given:
        book.handle(CommandAnswered(give.id, Outcome.OK, ""))
    (first, second) = book.lease("plain", "one", limit=2)
    assert book.fate(r.RecordsComplete(consumer="one", tokens=(first.token,))) == "ok"
    book.wait(16)  # the second runs out, and is offered again
    (again,) = book.lease("plain", "two")
    never = r.RecordsReturn(consumer="two", tokens=(again.token,), never=True)
    assert book.fate(never) == "ok"
    book.ask(r.RecordsRedrive(group="plain"), v.RecordsChangedResult)
    book.announce("plain", "b", generation="2")
    assert len(book.lease("ordered", "one")) == 1
    assert second.path == "b"
    book.ask(r.RecordsGone(volume="A", paths=("c",)), v.AnnouncedResult)
    book.ask(r.RecordsCredit(group="asked", consumer="filter"), v.RecordsChangedResult)
    book.ask(r.RecordsScan(volume="A"), v.RecordsChangedResult)
    kept = book.kept
    assert len({one.type for one in kept}) >= 12, "a story with nearly everything in it"
    for count in range(len(kept) + 1):
        killed = Book(kept[:count], book.now)
        told = list(killed.given)
        while told:
            killed.given.clear()
            for give in told:
                killed.handle(CommandAnswered(give.id, Outcome.OK, ""))
            told = list(killed.given)
        for _ in range(10):
            for group in ("plain", "ordered"):
                leases = killed.lease(group, "last", limit=10)
                if leases:
                    done = r.RecordsComplete(
                        consumer="last", tokens=tuple(one.token for one in leases)
                    )
                    killed.ask(done, v.TokensResult)
            killed.ask(r.RecordsRedrive(volume="A"), v.RecordsChangedResult)
            killed.wait(20)
        if "A" in killed.ledger.core.fold.volumes:
            counts = killed.ledger.core.fold.volumes["A"].counted()
            assert counts.announced == counts.done + counts.removed, (count, counts)
        assert killed.again().ledger.core.fold.items == {}
