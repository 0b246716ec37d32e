"""Supervisors against `FakeShotline` and against the real stack, with the same assertions.

What a supervisor's author learns from the fake must be true of the real thing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stack import DEADLINE_S, Stack

from shotline.client.errors import ActionFailed, Refused, WrongArguments
from shotline.client.fake import FakeAction, FakeShotline
from shotline.client.methods import Commands
from shotline.client.observer import News, Whole
from shotline.client.supervisor import Supervisor
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import RunEnded, Transition
from shotline.common.views import ShotEvent

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, PULSE: 2, STORE: 3}
actions:
  - {path: PREPARE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, ready]}}
  - {path: BROKEN, server_class: A, phase: INIT, when: 20, essential: true,
     task: {shell: [sh, -c, "echo no pressure; exit 3"]}}
  - {path: SPARE, server_class: A, phase: INIT, when: 30, on: false, task: {sleep: 0}}
  - {path: FIRE, server_class: A, phase: PULSE, when: 10, task: {sleep: 0}}
  - {path: COOL, server_class: A, phase: PULSE, when: 20, task: {sleep: 0}}
  - {path: SAVE, server_class: A, phase: STORE, when: 10, task: {sleep: 0}}
  - {path: MIRROR, server_class: A, phase: STORE, when: SAVE and FIRE, task: {sleep: 0}}
  - {path: ALARM, server_class: A, phase: STORE, when: not SAVE, task: {sleep: 0}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("supervisor")
    file = folder / "experiment.yaml"
    file.write_text(EXPERIMENT)
    with Stack(folder, ("A:1",), {"TEST": file}) as running:
        yield running


class Shots:
    """Shot numbers, each given once: the tests share one stack."""

    number = 0

    @classmethod
    def next(cls) -> int:
        cls.number += 1
        return cls.number


@pytest.fixture(params=["fake", "real"])
def shotline(request: pytest.FixtureRequest) -> Iterator[Supervisor | FakeShotline]:
    if request.param == "real":
        stack: Stack = request.getfixturevalue("stack")
        with stack.supervisor() as supervisor:
            yield supervisor
        return
    fake = FakeShotline(
        {
            "TEST": [
                FakeAction("\\TEST::TOP:PREPARE", "INIT", "A", 10),
                FakeAction("\\TEST::TOP:BROKEN", "INIT", "A", 20, essential=True),
                FakeAction("\\TEST::TOP:SPARE", "INIT", "A", 30, on=False),
                FakeAction("\\TEST::TOP:FIRE", "PULSE", "A", 10),
                FakeAction("\\TEST::TOP:COOL", "PULSE", "A", 20),
                FakeAction("\\TEST::TOP:SAVE", "STORE", "A", 10),
                FakeAction("\\TEST::TOP:MIRROR", "STORE", "A", when="SAVE and FIRE"),
                FakeAction("\\TEST::TOP:ALARM", "STORE", "A", when="not SAVE"),
            ]
        }
    )
    fake.succeeds("PREPARE", "", "ready")
    fake.fails("BROKEN", "exit status 3", "no pressure")
    with fake:
        yield fake


@pytest.fixture
def shot(shotline: Commands) -> int:
    """A shot with its tables built."""
    number = Shots.next()
    shotline.create_pulse("TEST", number)
    shotline.build_tables("TEST", number)
    return number


def test_a_pulse_is_made_once(shotline: Commands, shot: int) -> None:
    with pytest.raises(Refused, match="exists"):
        shotline.create_pulse("TEST", shot)
    assert shotline.create_pulse("TEST", shot, replace=True).message


def test_a_table_has_all_actions_also_those_that_are_off(shotline: Commands, shot: int) -> None:
    built = shotline.build_tables("TEST", shot)
    states = {action.name: action.last for action in built.actions}
    assert list(states) == [
        *("PREPARE", "BROKEN", "SPARE", "FIRE", "COOL"),
        *("SAVE", "MIRROR", "ALARM"),
    ]
    assert states["SPARE"].cause is Cause.OFF
    assert states["FIRE"].state is ActionState.NOT_DISPATCHED
    assert states["FIRE"].cause is None
    assert built.shots[0].phases == ("INIT", "PULSE", "STORE")
    counted = shotline.build_tables("TEST", shot, list_actions=False)
    assert counted.actions == ()
    assert counted.shots[0].actions == len(built.actions)


def test_a_phase_is_run_and_reported(shotline: Commands, shot: int) -> None:
    report = shotline.do_phase("PULSE", "TEST", shot)
    assert report.ok
    assert report.run.state == "ended"
    assert {action.name: action.last.status for action in report.actions} == {
        "FIRE": Status.SUCCESS,
        "COOL": Status.SUCCESS,
    }
    fired = report.action("FIRE").last
    assert fired.attempt == 1
    assert fired.server == "A:1"
    assert fired.duration_s is not None


def test_a_failed_action_is_in_the_report_or_raises_as_asked(shotline: Commands, shot: int) -> None:
    report = shotline.do_phase("INIT", "TEST", shot)
    assert not report.ok
    (broken,) = report.failed
    assert broken.name == "BROKEN"
    assert broken.last.state is ActionState.DONE
    assert broken.last.status is Status.FAILURE
    assert "3" in broken.last.reason
    assert "BROKEN" in report.message
    with pytest.raises(ActionFailed, match="BROKEN") as caught:
        shotline.do_phase("INIT", "TEST", shot, check=True)
    assert caught.value.report is not None
    assert caught.value.exit_code == 5


def test_an_essential_failure_is_remembered_until_it_was_seen(
    shotline: Commands, shot: int
) -> None:
    assert shotline.check("TEST", shot).failures == ()
    shotline.do_phase("INIT", "TEST", shot)
    assert [action.name for action in shotline.check("TEST", shot).failures] == ["BROKEN"]
    assert [a.name for a in shotline.check("TEST", shot, reset=True).failures] == ["BROKEN"]
    assert shotline.check("TEST", shot).failures == ()


def test_without_tree_and_shot_the_current_pulse_is_meant(shotline: Commands, shot: int) -> None:
    report = shotline.do_phase("PULSE")
    assert (report.run.tree, report.run.shot) == ("TEST", shot)


def test_names_of_trees_are_known_in_any_case(shotline: Commands, shot: int) -> None:
    assert shotline.do_phase("PULSE", "test", shot).ok


def test_an_unknown_phase_is_refused_with_the_known_ones(shotline: Commands, shot: int) -> None:
    with pytest.raises(Refused, match=r"INIT.*PULSE"):
        shotline.do_phase("LUNCH", "TEST", shot)


def test_a_phase_before_its_tables_are_built_is_refused(shotline: Commands) -> None:
    with pytest.raises(Refused, match="tables are not built"):
        shotline.do_phase("INIT", "TEST", Shots.next())


def test_an_unknown_experiment_is_refused_with_the_known_ones(shotline: Commands) -> None:
    with pytest.raises(Refused, match="TEST"):
        shotline.create_pulse("NOWHERE", 1)


def test_wrong_arguments_never_leave(shotline: Commands) -> None:
    with pytest.raises(WrongArguments, match="tree"):
        shotline.create_pulse("1TEST", 1)
    with pytest.raises(WrongArguments, match="both tree and shot"):
        shotline.build_tables("TEST")


def test_a_range_runs_its_actions_and_no_others(shotline: Commands, shot: int) -> None:
    report = shotline.do_sequence("PULSE", 15, 25, "TEST", shot)
    assert [action.name for action in report.actions] == ["COOL"]
    actions = {action.name: action for action in shotline.actions("TEST", shot).actions}
    assert actions["FIRE"].last.attempt == 0
    with pytest.raises(Refused, match="empty"):
        shotline.do_sequence("PULSE", 2, 1, "TEST", shot)


def test_a_condition_decides_whether_its_action_runs(shotline: Commands, shot: int) -> None:
    report = shotline.do_phase("STORE", "TEST", shot)
    assert report.ok
    assert report.action("SAVE").last.status is Status.SUCCESS
    assert report.action("ALARM").last.cause is Cause.CONDITION_FALSE
    assert report.action("MIRROR").last.cause is Cause.CANNOT_HAPPEN
    assert "FIRE" in report.action("MIRROR").last.reason
    shotline.do_phase("PULSE", "TEST", shot)
    again = shotline.do_phase("STORE", "TEST", shot)
    assert again.action("MIRROR").last.status is Status.SUCCESS
    assert again.action("MIRROR").last.attempt == 1


def test_a_range_takes_along_what_depends_on_it(shotline: Commands, shot: int) -> None:
    report = shotline.do_sequence("STORE", 10, 10, "TEST", shot)
    assert [action.name for action in report.actions] == ["SAVE", "MIRROR", "ALARM"]
    with pytest.raises(Refused, match="phase store"):
        shotline.do_sequence("store", 10, 10, "TEST", shot)


def test_an_action_is_known_by_its_name_in_any_case_and_no_other(
    shotline: Commands, shot: int
) -> None:
    assert shotline.show("fire", "TEST", shot).action.name == "FIRE"
    with pytest.raises(Refused, match="do you mean FIRE"):
        shotline.show("FIER", "TEST", shot)


def test_the_servers_are_there(shotline: Commands) -> None:
    (server,) = shotline.servers().servers
    assert (server.server, server.liveness, server.slots) == ("A:1", "alive", 1)


def test_one_action_again_is_a_new_attempt(shotline: Commands, shot: int) -> None:
    shotline.do_phase("PULSE", "TEST", shot)
    report = shotline.dispatch("FIRE", "TEST", shot)
    assert report.action("FIRE").last.attempt == 2
    with pytest.raises(Refused, match="off"):
        shotline.dispatch("SPARE", "TEST", shot)
    report = shotline.dispatch("SPARE", "TEST", shot, even_if_off=True)
    assert report.action("SPARE").last.status is Status.SUCCESS


def test_output_is_kept_per_attempt(shotline: Commands, shot: int) -> None:
    shotline.do_phase("INIT", "TEST", shot)
    found = shotline.logs("BROKEN", "TEST", shot)
    assert [line.text for line in found.lines] == ["no pressure"]
    assert found.attempts == (1,)


def test_an_action_has_its_story(shotline: Commands, shot: int) -> None:
    shotline.do_phase("INIT", "TEST", shot)
    story = shotline.show("BROKEN", "TEST", shot)
    told = [record for record in story.records if isinstance(record, Transition)]
    assert told[-1] == story.action.last
    assert told[-1].status is Status.FAILURE


def test_aborting_when_nothing_is_open_says_so(shotline: Commands, shot: int) -> None:
    assert "nothing was changed" in shotline.abort().message
    assert shotline.do_phase("PULSE", "TEST", shot).ok


def test_holding_when_nothing_is_open_is_refused(shotline: Commands, shot: int) -> None:
    with pytest.raises(Refused, match="no run is open"):
        shotline.hold("TEST", shot)
    with pytest.raises(Refused, match="no run is open"):
        shotline.resume("TEST", shot)


def test_a_run_is_waited_for_by_its_number(shotline: Commands, shot: int) -> None:
    opened = shotline.do_phase("PULSE", "TEST", shot, wait=False)
    assert shotline.wait("TEST", shot, opened.run.run).ok
    with pytest.raises(Refused, match="no run 99"):
        shotline.wait("TEST", shot, 99)


def test_an_unknown_server_is_refused(shotline: Commands) -> None:
    with pytest.raises(Refused, match="NOBODY"):
        shotline.server_restart("NOBODY:1")


def test_events_begin_with_the_whole_and_tell_of_every_transition(
    shotline: Supervisor | FakeShotline, shot: int
) -> None:
    with shotline.watch("TEST", shot) as stream:
        first = stream.get(DEADLINE_S)
        assert isinstance(first, Whole)
        last = {action.path: action.last for action in first.snapshot.actions}
        shotline.do_phase("PULSE", "TEST", shot)
        ended = False
        while not ended:
            update = stream.get(DEADLINE_S)
            if isinstance(update, Whole):  # what came before we were subscribed
                last = {action.path: action.last for action in update.snapshot.actions}
                ended = any(
                    run.state == "ended"
                    for run in (update.snapshot.shot.runs if update.snapshot.shot else ())
                )
                continue
            assert isinstance(update, News), update
            if isinstance(update.payload, ShotEvent):
                for record in update.payload.records:
                    if isinstance(record, Transition):
                        last[record.path] = record
                    ended = ended or isinstance(record, RunEnded)
        statuses = {path: state.status for path, state in last.items() if state.attempt}
        assert statuses == {
            "\\TEST::TOP:FIRE": Status.SUCCESS,
            "\\TEST::TOP:COOL": Status.SUCCESS,
        }


def test_status_and_shots_name_the_current_pulse(shotline: Commands, shot: int) -> None:
    assert shotline.status().current == ("TEST", shot)
    current = [one.shot for one in shotline.shots("TEST").shots if one.current]
    assert current == [shot]


def test_the_ten_lines_of_a_supervisor(shotline: Supervisor | FakeShotline, tmp_path: Path) -> None:
    number = Shots.next()
    with shotline:
        shotline.create_pulse("TEST", number)
        shotline.build_tables("TEST", number)
        results = {
            phase: shotline.do_phase(phase, "TEST", number).ok for phase in ("INIT", "PULSE")
        }
    assert results == {"INIT": False, "PULSE": True}
