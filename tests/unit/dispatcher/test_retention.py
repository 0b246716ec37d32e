"""Old shots leave Redis; where it is so wanted, only when a file has them."""

from collections.abc import Iterable

from tests.support.dispatching import KEY, Bench, view_of
from tests.support.tables import action

from shotline.client.testing.dispatcher import WakeUp
from shotline.common import commands as c
from shotline.common.alarms.alarm import AlarmKind
from shotline.common.messages import Outcome
from shotline.common.past.commands import WriteNote
from shotline.common.records import ShotKey
from shotline.common.views import JournalState, StatusResult
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.commands.retention import RETRY_S
from shotline.dispatcher.past.jobs import KeepJob

WANTED: dict[str, dict[str, object]] = {
    "kept": {"before_removal": True},
    "journal": {"keep_shots": 1},
}


class Holding(Bench):
    """A dispatcher whose shots are written into files when the test says so."""

    def carry_out(self, effect: d.Effect) -> Iterable[WakeUp]:
        """Keep what writes a shot for the test to answer."""
        if isinstance(effect, KeepJob):
            self.jobs.append(effect)
            return ()
        return super().carry_out(effect)

    def written(self, error: str = "") -> None:
        """Let the worker say that the shot is in its file, or why not."""
        (job,) = self.jobs
        assert isinstance(job, KeepJob)
        assert job.key == KEY
        self.jobs.clear()
        self.handle(self.answer_of(job, error))


def full() -> Holding:
    """Return a dispatcher with a shot too many, which is being written into its file."""
    bench = Holding(action("ONE", 1)).configure(**WANTED).build(KEY)
    return bench.build(ShotKey("T", 2))


def alarms(bench: Bench) -> list[tuple[str, bool]]:
    """Return the alarms about shots that are not kept: what they say, whether they are active."""
    found = bench.machine.alarms.machine.fold.alarms.values()
    return [(one.text, one.active) for one in found if one.kind is AlarmKind.KEEPING]


def status(bench: Bench) -> StatusResult:
    found = view_of(bench.told(c.SystemStatus()))
    assert isinstance(found, StatusResult)
    return found


def test_a_shot_is_removed_when_its_file_is_there_and_not_before() -> None:
    bench = full()
    assert bench.forgotten == []
    bench.written()
    assert bench.forgotten == [KEY]
    refused = bench.told(WriteNote(tree="T", shot=1, text="too late"))
    assert refused.outcome is Outcome.REFUSED
    assert "kept in a file" in refused.message
    assert alarms(bench) == []


def test_a_shot_that_cannot_be_written_stays_and_that_is_told() -> None:
    bench = full()
    bench.written("kept: No space left on device")
    assert bench.forgotten == []
    words = "T/1 is not written into its file: kept: No space left on device"
    assert alarms(bench) == [(words, True)]
    assert status(bench).keep_trouble == words
    bench.pass_time(RETRY_S + 1)
    bench.written()
    assert bench.forgotten == [KEY]
    assert [active for _, active in alarms(bench)] == [False]
    assert status(bench).keep_trouble == ""


def test_what_has_changed_meanwhile_is_written_again() -> None:
    bench = full()
    assert bench.told(WriteNote(tree="T", shot=1, text="just in time")).outcome is Outcome.OK
    bench.written()
    assert bench.forgotten == []
    bench.pass_time(RETRY_S + 1)
    bench.written()
    assert bench.forgotten == [KEY]


def test_nothing_is_written_into_a_file_while_redis_has_not_all_of_it() -> None:
    bench = Holding(action("ONE", 1)).configure(**WANTED).build(KEY)
    bench.handle(j.JournalChanged(JournalState.DEGRADED, "Redis is away"))
    bench.build(ShotKey("T", 2))
    assert bench.jobs == []
    bench.handle(j.JournalChanged(JournalState.OK, "it is back")).pass_time(RETRY_S + 1)
    bench.written()
    assert bench.forgotten == [KEY]


def test_whoever_is_killed_when_the_file_is_there_begins_with_it_again() -> None:
    killed = full()
    assert killed.forgotten == []
    bench = Holding(action("ONE", 1), store=killed.store, config=killed.config)
    bench.written()
    assert bench.forgotten == [KEY]
