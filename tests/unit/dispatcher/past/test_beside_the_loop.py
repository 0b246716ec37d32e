"""A question about the past delays nothing: the machine goes on while it is not answered."""

import pytest
from tests.support.dispatching import Bench
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.past.commands import FindShots, Search, WriteNote
from shotline.common.records import ShotKey
from shotline.dispatcher.past.jobs import PastDone, PastJob


def test_a_phase_begins_and_ends_while_a_search_goes_on() -> None:
    bench = Bench(action("ONE")).register("SRV_A:1").build()
    bench.answers_jobs = False
    bench.ask(Search(words="anything"), "search")
    (job,) = [one for one in bench.jobs if isinstance(one, PastJob)]
    bench.jobs.remove(job)
    bench.answers_jobs = True
    bench.ask(c.DoPhase(phase="INIT", wait=True), "phase")
    assert bench.dispatched() == ["ONE"], "it is sent, with the search still unanswered"
    bench.start("ONE").finish("ONE")
    assert bench.replies_to("phase")[-1].outcome is Outcome.OK
    assert bench.replies_to("search") == []
    bench.handle(PastDone(job=job.job, error="it took too long"))
    (reply,) = bench.replies_to("search")
    assert (reply.outcome, reply.message) == (Outcome.REFUSED, "it took too long")


@pytest.mark.parametrize(
    "command",
    [
        c.CreatePulse(tree="T", shot=77),
        c.CreatePulse(tree="T", shot=77, replace=True),
        c.BuildTables(tree="T", shot=77),
        c.DoPhase(tree="T", shot=77, phase="INIT"),
        c.DoSequence(tree="T", shot=77, phase="INIT", first=1, last=2),
        c.DispatchAction(tree="T", shot=77, path="ONE"),
        c.Hold(tree="T", shot=77),
        c.Resume(tree="T", shot=77),
        c.Abort(tree="T", shot=77),
        c.AbortPending(tree="T", shot=77),
        c.WriteNodes(tree="T", shot=77, values={"A": 1}),
        c.Check(tree="T", shot=77, reset=True),
        WriteNote(tree="T", shot=77, text="no"),
    ],
)
def test_what_only_a_file_has_is_never_run_or_changed(command: c.AnyCommand) -> None:
    bench = Bench(action("ONE")).register("SRV_A:1").build()
    bench.handle(PastDone(job=0, kept=(ShotKey("T", 77),)))
    before = dict(bench.store.shots)
    reply = bench.told(command)
    assert reply.outcome is Outcome.REFUSED
    assert "T/77 is kept in a file" in reply.message
    assert bench.store.shots == before
    assert ShotKey("T", 77) not in bench.machine.core.shots


def test_what_redis_has_counts_before_a_file() -> None:
    bench = Bench(action("ONE")).register("SRV_A:1").build()
    (key,) = bench.store.shots
    bench.handle(PastDone(job=0, kept=(key,)))
    assert bench.told(WriteNote(tree=key.tree, shot=key.shot, text="yes")).outcome is Outcome.OK
    assert bench.told(FindShots()).outcome is Outcome.OK
