"""What the doctor makes of what the dispatcher says: clocks, versions, servers that are missing."""

import time

import pytest

from shotline import __version__
from shotline.client.doctor.finding import Level
from shotline.client.doctor.site import clocks, dispatcher, servers
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import Transition
from shotline.common.settings.config import Config, UpSection, UpServer
from shotline.common.settings.sections.providers import ProvidedClass, ProvidersSection
from shotline.common.views import ActionView, JournalState, ServerView, StatusResult

CONFIG = Config(up=UpSection(servers=(UpServer.model_validate({"class": "A", "id": "1"}),)))


def server(**known: object) -> ServerView:
    fields: dict[str, object] = {
        "server": "A:1",
        "server_class": "A",
        "server_id": "1",
        "liveness": "alive",
        "version": __version__,
        "slots": 2,
    }
    return ServerView(**(fields | known))  # type: ignore[arg-type]  # by name


def status(*known: ServerView, journal: JournalState = JournalState.OK) -> StatusResult:
    return StatusResult(term=3, dispatcher="here:1", started_at=0.0, journal=journal, servers=known)


def ran(server_is_ahead_s: float) -> ActionView:
    """Return an action that was sent at 100, ran from 101 to 102, and was known at 103."""
    last = Transition(
        time=103.0,
        path="ONE",
        state=ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        server="A:1",
        dispatched_at=100.0,
        started_at=101.0 + server_is_ahead_s,
        ended_at=102.0 + server_is_ahead_s,
        duration_s=1.0,
    )
    return ActionView(path="ONE", name="ONE", server_class="A", phase="INIT", last=last)


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(0.0, None), (60.0, "59.0 s ahead of"), (-60.0, "59.0 s behind"), (1.5, None)],
)
def test_a_server_s_clock_is_seen_by_what_it_ran(ahead_s: float, words: str | None) -> None:
    found = list(clocks(status(), (ran(ahead_s),), time.time(), 2.0))
    assert [one.level for one in found] == [Level.OK if words is None else Level.WARNING]
    assert words is None or words in found[0].text
    assert words is None or "the machine of A:1" in found[0].text


@pytest.mark.parametrize(("off_s", "words"), [(0.0, None), (300.0, "ahead"), (-300.0, "behind")])
def test_the_dispatcher_s_clock_is_seen_by_when_it_heard_of_servers(
    off_s: float, words: str | None
) -> None:
    now = time.time()
    found = list(clocks(status(server(last_seen_at=now + off_s)), (), now, 2.0))
    assert [one.level for one in found] == [Level.OK if words is None else Level.WARNING]
    assert words is None or f"{words} this one's" in found[0].text.replace(" of ", " ")


def test_servers_that_are_wanted_and_missing_are_a_problem() -> None:
    (found,) = servers(CONFIG, status())
    assert (found.level, found.text) == (Level.PROBLEM, "A:1 is not there")
    (found,) = servers(CONFIG, status(server(liveness="lost", why="silent")))
    assert (found.level, found.text) == (Level.PROBLEM, "A:1 is lost: silent")
    others = [
        one
        for one in servers(CONFIG, status(server(), server(server="B:1", liveness="lost")))
        if one.level is not Level.OK
    ]
    assert [one.level for one in others] == [Level.WARNING]


@pytest.mark.parametrize(
    ("known", "level", "words"),
    [
        ({"version": "99.0.0"}, Level.PROBLEM, "has version 99.0.0"),
        ({"version": f"{__version__}.1"}, Level.WARNING, "has version"),
        ({"broken": 2, "trouble": "no module"}, Level.PROBLEM, "2 of 2 slots: no module"),
        ({"stuck": 1}, Level.WARNING, "cannot be ended"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(
    known: dict[str, object], level: Level, words: str
) -> None:
    (found,) = servers(CONFIG, status(server(**known)))
    assert found.level is level
    assert words in found.text
    assert found.advice


def test_a_journal_that_has_stopped_is_a_problem() -> None:
    found = {one.subject: one for one in dispatcher(status(journal=JournalState.STOPPED))}
    assert found["journal"].level is Level.PROBLEM
    assert "nothing new starts" in found["journal"].text


def test_a_server_on_demand_may_be_gone() -> None:
    classes = {"B": ProvidedClass(provider="slurm")}
    config = Config(providers=ProvidersSection(classes=classes))
    gone = server(server="B:p1", server_class="B", liveness="lost")
    assert [one.level for one in servers(config, status(server(), gone))] == [Level.OK]
