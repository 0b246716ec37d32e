"""When servers are started on demand: the provider's machine with a clock and an engine of its own.

The engine is a fake that keeps jobs; it may be away, forget, and answer late.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shotline.common.machine import Instant
from shotline.common.pilots import ClassDemand, ClassReport, PilotServer, PilotState
from shotline.common.settings.sections.providers import ProvidedClass, ProvidersSection
from shotline.common.views import DemandResult
from shotline.providers.events import (
    Cancel,
    Effect,
    Heard,
    Job,
    Listed,
    Look,
    NotListed,
    NotStarted,
    Start,
    Started,
    Unheard,
)
from shotline.providers.machine import Provider

QUICK = ProvidedClass(provider="slurm", max=2, start_after_s=0.0)


@dataclass
class Bench:
    """A provider of class A with its clock, its engine and what the dispatcher says."""

    section: ProvidedClass = QUICK
    jobs: dict[str, Job] = field(default_factory=dict)
    is_away: bool = False
    now: float = 1000.0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    started: list[Start] = field(default_factory=list)
    cancelled: list[Cancel] = field(default_factory=list)
    servers: dict[str, PilotServer] = field(default_factory=dict)
    refuses: str = ""
    is_unsure: bool = False
    is_started: bool = False  # although nobody was told so
    looks: int = 0  # how often the engine was asked

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin a life of the provider."""
        section = ProvidersSection(classes={"A": self.section})
        self.provider = Provider(section, "life", lambda: f"t{next(self.numbers)}")

    @property
    def instant(self) -> Instant:
        return Instant(self.now, self.now + 1e9)

    def need(
        self,
        ready: int = 0,
        free: int = 0,
        waiting_s: float | None = 10.0,
        asked_s_ago: float = 0.0,
    ) -> None:
        """Let the dispatcher say what is needed, and carry out what follows."""
        demand = ClassDemand(
            server_class="A",
            ready=ready,
            waiting_s=waiting_s if ready else None,
            free=free,
            servers=tuple(self.servers.values()),
        )
        heard = Heard(DemandResult(classes=(demand,)), self.now - asked_s_ago)
        self.carry_out(self.provider.handle(self.instant, heard))

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Look():
                    self.looks += 1
                    answer = (
                        NotListed("slurm", "no answer")
                        if self.is_away
                        else Listed("slurm", tuple(self.jobs.values()), self.now)
                    )
                    self.carry_out(self.provider.handle(self.instant, answer))
                case Start(server, token):
                    self.started.append(effect)
                    self.carry_out(self.provider.handle(self.instant, self._start(server, token)))
                case Cancel():
                    self.cancelled.append(effect)

    def _start(self, server: str, token: str) -> Started | NotStarted:
        if self.refuses:
            if self.is_started:
                job = f"unsure{len(self.started)}"
                self.jobs[job] = Job(server, token, job, PilotState.QUEUED)
            return NotStarted(server, token, self.refuses, self.is_unsure)
        job = str(len(self.started))
        if self.section.provider == "slurm":
            self.jobs[job] = Job(server, token, job, PilotState.QUEUED, "Resources")
        return Started(server, token, job)

    def turn(self, job: str, state: PilotState, reason: str = "", proof: str = "") -> None:
        self.jobs[job] = replace(self.jobs[job], state=state, reason=reason, proof=proof)

    def register(self, job: str, liveness: str = "alive") -> None:
        """Let the pilot of a job be a server that the dispatcher knows."""
        found = self.jobs[job]
        self.turn(job, PilotState.STARTING)
        self.jobs[job] = replace(self.jobs[job], started_at=self.now)
        self.servers[found.server] = PilotServer(
            server=found.server,
            incarnation=f"{found.token}.1",
            liveness=liveness,  # type: ignore[arg-type]
            started_at=self.now + 1.0,
        )

    def later(self, seconds: float, ready: int = 0, free: int = 0) -> None:
        """Let time pass, the dispatcher saying the same each second."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.need(ready, free)

    def report(self) -> ClassReport:
        return self.provider.report(self.instant).classes[0]

    def states(self) -> dict[str, PilotState]:
        return {one.server: one.state for one in self.report().pilots}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_started_where_nothing_waits(bench: Bench) -> None:
    bench.later(30)
    assert bench.started == []
    assert bench.report().able, "a server could be had"


def test_as_many_as_are_needed_and_never_more_than_max(bench: Bench) -> None:
    bench.need(ready=1)
    assert [one.server for one in bench.started] == ["A:p1"]
    bench.later(20, ready=1)
    assert len(bench.started) == 1, "the one on its way will do it"
    bench.later(60, ready=50)
    assert [one.server for one in bench.started] == ["A:p1", "A:p2"]
    assert bench.report().text == "A:p1, A:p2 waits in slurm (Resources)"


def test_slots_that_are_free_or_on_their_way_count() -> None:
    bench = Bench(QUICK.model_copy(update={"slots": 4, "max": 10}))
    bench.need(ready=9, free=1)
    assert len(bench.started) == 2


def test_one_more_only_when_they_have_waited() -> None:
    bench = Bench(QUICK.model_copy(update={"start_after_s": 5.0}))
    bench.need(ready=1, waiting_s=4.9)
    assert bench.started == []
    bench.need(ready=1, waiting_s=5.0)
    assert len(bench.started) == 1


def test_min_is_kept_without_any_need() -> None:
    bench = Bench(QUICK.model_copy(update={"min": 1}))
    bench.later(10)
    assert [one.is_kept for one in bench.started] == [True]
    bench.turn("1", PilotState.ENDED, "TIMEOUT")
    bench.later(5)
    assert len(bench.started) == 1, "it never registered: a pause"
    bench.later(20)
    assert [(one.server, one.is_kept) for one in bench.started] == [("A:p1", True)] * 2


def test_nothing_is_started_before_engine_and_dispatcher_have_answered(bench: Bench) -> None:
    bench.is_away = True
    bench.later(10, ready=3)
    assert bench.started == []
    assert bench.report().text == "slurm does not answer: no answer"
    assert bench.report().able, "it is waited for, as long as start_wait_s says"
    bench.is_away = False
    bench.later(10, ready=3)
    assert len(bench.started) == 2


def test_nothing_is_started_for_what_was_needed_before_the_provider_stood_still(
    bench: Bench,
) -> None:
    bench.need(ready=1, asked_s_ago=600.0)
    assert not bench.started
    bench.need(ready=1)
    assert len(bench.started) == 1


def test_nothing_is_started_while_the_dispatcher_is_not_heard(bench: Bench) -> None:
    bench.need(ready=1)
    bench.now += 60
    bench.jobs.clear()
    for _ in range(20):
        bench.now += 1.0
        bench.carry_out(bench.provider.handle(bench.instant, Unheard("away")))
    assert len(bench.started) == 1


def test_a_second_life_finds_what_the_first_has_started(bench: Bench) -> None:
    bench.need(ready=2)
    assert len(bench.started) == 2
    bench.begin()
    bench.later(30, ready=5)
    assert len(bench.started) == 2
    assert bench.states() == dict.fromkeys(("A:p1", "A:p2"), PilotState.QUEUED)


def test_one_that_ends_makes_room(bench: Bench) -> None:
    bench.need(ready=2)
    bench.register("1")
    bench.later(10, ready=2)
    bench.turn("1", PilotState.ENDED, "COMPLETED", "job 1 is COMPLETED")
    bench.servers["A:p1"] = replace_liveness(bench.servers["A:p1"], "lost")
    bench.later(10, ready=2)
    assert [one.server for one in bench.started] == ["A:p1", "A:p2", "A:p1"]
    told = {(one.token, one.state, one.proof) for one in bench.report().pilots}
    assert ("t1", PilotState.ENDED, "job 1 is COMPLETED") in told


def replace_liveness(server: PilotServer, liveness: str) -> PilotServer:
    return PilotServer(
        server=server.server,
        incarnation=server.incarnation,
        liveness=liveness,  # type: ignore[arg-type]
        started_at=server.started_at,
    )


def test_one_that_has_just_gone_is_asked_about_at_once() -> None:
    bench = Bench(QUICK.model_copy(update={"max": 1}))
    bench.need(ready=1)
    bench.register("1")
    bench.later(2)
    bench.servers["A:p1"] = replace_liveness(bench.servers["A:p1"], "lost")
    bench.turn("1", PilotState.STARTING, "COMPLETING")
    bench.later(2, ready=1)
    assert bench.report().able, "its place will be free in a moment"
    bench.turn("1", PilotState.ENDED, "COMPLETED")
    bench.later(2, ready=1)
    assert len(bench.started) == 2


def test_the_end_of_a_second_start_proves_nothing_of_the_first(bench: Bench) -> None:
    bench.need(ready=1)
    bench.register("1")
    bench.later(5)
    # Its controller has forgotten it and started it again; the second one was refused its name.
    bench.jobs["1"] = replace(bench.jobs["1"], started_at=bench.now)
    bench.turn("1", PilotState.ENDED, "FAILED", "job 1 is FAILED, exit code 69:0")
    bench.later(10)
    assert [(one.state, one.proof) for one in bench.report().pilots] == [(PilotState.ENDED, "")]


def test_of_two_lives_of_one_job_nothing_is_proven(bench: Bench) -> None:
    bench.need(ready=1)
    bench.register("1")
    bench.later(5)
    server = bench.servers["A:p1"]
    bench.servers["A:p1"] = PilotServer(
        server="A:p1", incarnation=server.incarnation.replace(".1", ".2"), liveness="alive"
    )
    bench.later(5)
    bench.turn("1", PilotState.ENDED, "COMPLETED", "job 1 is COMPLETED")
    bench.later(10)
    assert [(one.state, one.proof) for one in bench.report().pilots] == [(PilotState.ENDED, "")]


def test_one_that_its_engine_has_given_up_and_that_lives_keeps_its_place(bench: Bench) -> None:
    bench.need(ready=2)
    bench.register("1")
    bench.later(5, ready=2)
    bench.turn("1", PilotState.ENDED, "NODE_FAIL")
    bench.later(60, ready=5)
    assert [one.server for one in bench.started] == ["A:p1", "A:p2"]


def test_what_is_not_over_keeps_its_place(bench: Bench) -> None:
    """NODE_FAIL of the server means nothing while the job is not over."""
    bench.need(ready=2)
    for job in ("1", "2"):
        bench.register(job)
    bench.later(5, ready=2)
    bench.servers = {name: replace_liveness(one, "lost") for name, one in bench.servers.items()}
    bench.later(10, ready=5)
    assert bench.report().able, "they may have ended"
    bench.later(100, ready=5)
    assert len(bench.started) == 2
    assert not bench.report().able, "nobody is coming, and there is no room"


def test_an_unanswered_start_keeps_its_place_until_the_engine_has_been_asked(
    bench: Bench,
) -> None:
    bench.refuses, bench.is_unsure = "timed out", True
    bench.need(ready=1)
    assert bench.states() == {"A:p1": PilotState.QUEUED}
    # It was started all the same.
    bench.jobs["7"] = Job("A:p1", "t1", "7", PilotState.QUEUED, "Priority")
    bench.later(20, ready=1)
    assert len(bench.started) == 1
    assert bench.report().text == "A:p1 waits in slurm (Priority)"


def test_an_unanswered_start_of_which_the_engine_knows_nothing_has_failed(bench: Bench) -> None:
    bench.refuses, bench.is_unsure = "timed out", True
    bench.need(ready=1)
    bench.refuses = ""
    bench.later(15, ready=1)
    assert "failed, and it is tried again: perhaps started: timed out" in bench.report().text
    bench.later(20, ready=1)
    assert len(bench.started) == 2


def test_pauses_after_failed_starts_grow(bench: Bench) -> None:
    bench.refuses = "invalid partition"
    times = []
    for _ in range(300):
        before = len(bench.started)
        bench.now += 1.0
        bench.need(ready=1)
        if len(bench.started) > before:
            times.append(bench.now)
    pauses = [round(later - earlier) for earlier, later in pairwise(times)]
    assert pauses == [10, 20, 40, 80]
    report = bench.report()
    assert not report.able
    assert report.text == "the last 5 starts have failed, and it is tried again: invalid partition"


def test_one_that_registers_ends_the_pauses(bench: Bench) -> None:
    bench.refuses = "invalid partition"
    bench.need(ready=1)
    bench.refuses = ""
    bench.later(11, ready=1)
    bench.register("2")
    bench.later(5)
    assert bench.report().able
    assert bench.report().text == ""


def test_a_pilot_that_never_registers_is_ended(bench: Bench) -> None:
    bench.need(ready=1)
    bench.turn("1", PilotState.STARTING)
    bench.later(55, ready=1)
    assert bench.cancelled == []
    bench.later(20, ready=1)
    assert [(one.job, one.only_queued) for one in bench.cancelled] == [("1", False)]
    assert not bench.report().text.startswith("A:p1 is starting; the last start"), "paused"


def test_a_job_that_nothing_waits_for_is_taken_back(bench: Bench) -> None:
    bench.need(ready=1)
    bench.later(58)
    assert bench.cancelled == []
    bench.later(10)
    assert [(one.job, one.only_queued) for one in bench.cancelled] == [("1", True)]


def test_two_jobs_in_one_place_are_one_too_many(bench: Bench) -> None:
    bench.need(ready=1)
    bench.jobs["9"] = Job("A:p1", "tOther", "9", PilotState.QUEUED, "Dependency")
    bench.later(10, ready=1)
    assert {(one.job, one.only_queued) for one in bench.cancelled} == {("9", True)}


SCRIPT = ProvidedClass(provider="script", max=2, start_after_s=0.0, idle_s=10.0)


def script_server(number: int, liveness: str = "alive", busy: int = 0) -> PilotServer:
    return PilotServer(
        server=f"A:p{number}",
        incarnation="x",
        liveness=liveness,  # type: ignore[arg-type]
        busy=busy,
    )


def test_servers_of_a_script_are_stopped_by_the_dispatcher_when_idle() -> None:
    bench = Bench(SCRIPT)
    bench.need(ready=2)
    assert [one.server for one in bench.started] == ["A:p1", "A:p2"]
    bench.servers = {"A:p1": script_server(1, busy=1), "A:p2": script_server(2)}
    bench.later(12)
    assert bench.report().stop == ("A:p2",)
    assert bench.cancelled == []


def test_a_server_of_a_script_that_was_lost_is_ended_before_the_next() -> None:
    bench = Bench(SCRIPT)
    bench.need(ready=1)
    bench.servers = {"A:p1": script_server(1, busy=1)}
    bench.later(5)
    bench.servers = {"A:p1": script_server(1, "lost")}
    bench.later(5, ready=1)
    assert [one.may_run for one in bench.started] == [False, True]
    assert all(not one.proof for one in bench.report().pilots)


def test_a_second_life_finds_servers_of_a_script_by_their_names() -> None:
    bench = Bench(SCRIPT)
    bench.servers = {"A:p1": script_server(1, busy=1), "A:p2": script_server(2, busy=1)}
    bench.later(10, ready=5)
    assert bench.started == []


def test_an_engine_that_does_not_answer_is_not_asked_at_once_again_for_a_server_that_went() -> None:
    bench = Bench(ProvidedClass(provider="slurm", max=1, start_after_s=0.0))
    bench.later(3, ready=1)
    bench.register("1")
    bench.later(3)
    bench.is_away = True
    bench.servers.clear()
    bench.looks = 0
    bench.later(30, ready=1)
    assert 1 <= bench.looks <= 30 / ProvidersSection().engine_look_s + 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("need"), st.integers(0, 9)),
            st.tuples(
                st.sampled_from(["away", "back", "begin", "unsure", "quiet", "sure"]), st.just(0)
            ),
            st.tuples(st.sampled_from(["run", "end", "lose"]), st.integers(0, 5)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_there_are_never_more_than_max(
    steps: list[tuple[str, int]],
) -> None:
    bench = Bench(ProvidedClass(provider="slurm", max=3, min=1, start_after_s=0.0, back_off_s=1.0))
    for what, number in steps:
        bench.now += 2.0
        active = [one for one in bench.jobs.values() if one.state is not PilotState.ENDED]
        match what:
            case "need":
                bench.later(3, ready=number)
            case "away" | "back":
                bench.is_away = what == "away"
            case "begin":
                bench.begin()
            case "unsure" | "quiet" | "sure":
                bench.refuses = "" if what == "sure" else "timed out"
                bench.is_unsure, bench.is_started = True, what == "quiet"
            case "run" if number < len(active):
                bench.register(active[number].job)
            case "end" if number < len(active):
                bench.turn(active[number].job, PilotState.ENDED, "COMPLETED")
            case "lose":
                bench.servers.clear()
        active = [one for one in bench.jobs.values() if one.state is not PilotState.ENDED]
        assert len(active) <= 3
        assert len({one.server for one in active}) == len(active), "one to a place"
