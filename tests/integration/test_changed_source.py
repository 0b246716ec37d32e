"""A file or tree that somebody changes after the tables were built: through the real daemons."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.adapters import mdsip_tree
from tests.support.mdsip.replay import ReplayServer
from tests.support.stack import Stack

from shotline.client.errors import Refused
from shotline.client.supervisor import Supervisor
from shotline.common.dangers import Danger
from shotline.common.nodes import MdsipSource
from shotline.common.views import ShotView
from shotline.trees.mdsip import MdsipConnection

ACTIONS = 26  # of the recorded tree
WHEN_MADE = 50_000_000_000_000_000  # in MDSplus' time

PATIENT = {"dispatcher": {"source_look_s": 50.0}}  # the machine may be loaded

EXPERIMENT = """\
experiment: TEST
phases: {INIT: 10, STORE: 20}
actions:
  - {path: SAYS, server_class: A, phase: INIT, when: 10, task: {shell: [echo, WORD]}}
"""


class Site:
    """One experiment file, the daemons that run it, and whoever drives them."""

    def __init__(self, folder: Path, options: dict[str, object] | None = None) -> None:
        self.file = folder / "test.yaml"
        self.say("before")
        source = {"kind": "file", "file": str(self.file), "pulses": str(folder / "pulses")}
        self.copy = folder / "pulses" / "TEST" / "1" / "experiment.yaml"
        experiment = {"TEST": {"source": source, "options": options}}
        self.stack = Stack(folder, ("A:1",), experiment, PATIENT)

    def say(self, word: str, file: Path | None = None) -> None:
        (file or self.file).write_text(EXPERIMENT.replace("WORD", word))

    def said(self, shotline: Supervisor) -> list[str]:
        return [line.text for line in shotline.logs("SAYS", "TEST", 1).lines]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.stack:
        yield made


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, {"changed_source": "refuse"})
    with made.stack:
        yield made


def test_an_edited_experiment_file_is_said_also_after_a_restart(site: Site) -> None:
    with site.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        site.say("after")
        site.stack.dispatcher.stop()
        site.stack.restart(site.stack.dispatcher)
        site.stack.wait_until(lambda status: not status.recovering)
        report = shotline.do_phase("INIT", "TEST", 1)
        (notice,) = report.notices
        assert f"the experiment file {site.file} has changed since the tables of TEST/1" in notice
        assert "shotline create-pulse TEST 1 --replace" in notice
        assert site.said(shotline) == ["before"]
        assert shotline.dispatch("SAYS", "TEST", 1).notices == (notice,)
        assert _shot(shotline).source_changed == notice
        assert notice in site.stack.dispatcher.last_lines(200)
        # What helps, helps.
        shotline.create_pulse("TEST", 1, replace=True)
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        assert site.said(shotline) == ["after"]
        assert _shot(shotline).source_changed == ""


def test_an_edited_file_of_the_pulse_is_read_by_building_the_tables(site: Site) -> None:
    with site.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        site.say("by hand", site.copy)
        (notice,) = shotline.do_phase("INIT", "TEST", 1).notices
        assert f"the pulse's file {site.copy} has changed" in notice
        assert "`shotline build-tables TEST 1` reads it again" in notice
        assert site.said(shotline) == ["before"]
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        assert site.said(shotline) == ["by hand"]


def test_a_file_that_was_edited_before_the_tables_were_built_is_said_then(site: Site) -> None:
    with site.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        site.say("after")
        told = _command_line(site, "build-tables", "TEST", "1")
        assert "is not what TEST/1 was made from" in told.stdout + told.stderr
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()


def test_the_same_content_is_no_change_and_a_file_that_is_gone_is_one(site: Site) -> None:
    with site.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        site.say("before")  # another time, the same words
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        site.file.unlink()
        (notice,) = shotline.do_phase("INIT", "TEST", 1).notices
        assert f"{site.file} is no longer there" in notice
        assert site.said(shotline) == ["before"]
        site.say("before")
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        assert _shot(shotline).source_changed == ""


def test_it_is_refused_where_the_experiment_says_so(refusing: Site) -> None:
    with refusing.stack.supervisor() as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        refusing.say("by hand", refusing.copy)
        with pytest.raises(Refused, match="--even-if-changed") as refused:
            shotline.do_phase("INIT", "TEST", 1)
        assert [one.danger for one in refused.value.dangers] == [Danger.SOURCE_CHANGED]
        with pytest.raises(Refused):
            shotline.do_sequence("INIT", 1, 20, "TEST", 1)
        assert _shot(shotline).runs == ()
        told = _command_line(refusing, "do-phase", "TEST", "1", "INIT", "--wait")
        assert told.returncode == 2, told.stderr
        assert "shotline build-tables TEST 1" in told.stderr
        told = _command_line(
            refusing, "do-phase", "TEST", "1", "INIT", "--wait", "--even-if-changed"
        )
        assert told.returncode == 0, told.stderr
        assert refusing.said(shotline) == ["before"]
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", "TEST", 1).notices == ()
        assert refusing.said(shotline) == ["by hand"]


# Trees


@pytest.fixture
def mdsip() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        running.edit("TIME_INSERTED", "Q", [WHEN_MADE] * ACTIONS)
        yield running


def _other(numbers: list[int], place: int, number: int) -> list[int]:
    return [*numbers[:place], number, *numbers[place + 1 :]]


def test_a_switched_and_a_rewritten_node_are_named(mdsip: ReplayServer, tmp_path: Path) -> None:
    with ReplayServer() as tasks:
        source = {"kind": "mdsip", "url": tasks.url, "tree_url": mdsip.url}
        experiment = {"source": source, "options": {"changed_source": "refuse"}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": experiment}, PATIENT)
        with stack, stack.supervisor() as shotline:
            table = shotline.build_tables("TEST", 1)
            names = [action.path for action in table.actions]
            assert shotline.do_sequence("INIT", 900, 901, "TEST", 1).notices[:-1] == ()
            mdsip.edit("TIME_INSERTED", "Q", _other([WHEN_MADE] * ACTIONS, 3, WHEN_MADE + 1))
            mdsip.edit("STATE", "B", _other([0] * ACTIONS, 5, 1))
            with pytest.raises(Refused) as refused:
                shotline.do_phase("INIT", "TEST", 1)
            what = f"the tree TEST/1 at {mdsip.url} has changed"
            assert what in str(refused.value)
            for place, name in enumerate(names):
                changed = place in (3, 5, names.index("\\TEST::TOP:OFF_ACTION"))
                assert (f"{name}," in _named(refused.value)) is changed, name
            mdsip.stop()
            (_, notice) = _first_two(shotline.do_sequence("INIT", 900, 901, "TEST", 1).notices)
            assert f"whether the tree TEST/1 at {mdsip.url} has changed" in notice
            assert "is not known" in notice


def _named(refused: Refused) -> str:
    """Return the paths that a refusal names, each with a comma behind it."""
    words = str(refused).partition(": ")[2].partition("; `shotline")[0]
    return f"{words},"


def _first_two(notices: tuple[str, ...]) -> tuple[str, str]:
    """Return what a run without actions says of itself, and what it says of its source."""
    source, of_itself = notices
    return of_itself, source


def test_a_look_at_a_server_that_runs_tasks_leaves_their_trees_alone(mdsip: ReplayServer) -> None:
    tree = mdsip_tree(MdsipSource(url=mdsip.url, read_timeout_s=20))
    task = MdsipConnection(mdsip.url, connect_timeout_s=20, answer_timeout_s=20, keep_alive_s=15)
    try:
        task.open_tree("TEST", 7)
        (of_the_task,) = mdsip.trees
        before = tree.marks(1)
        assert tree.marks(1) == before
        mdsip.edit("TIME_INSERTED", "Q", [WHEN_MADE + 1] * ACTIONS)
        assert tree.marks(1) != before
        assert of_the_task in mdsip.trees
    finally:
        task.close()
        tree.close()


def test_a_server_without_times_tells_of_switches(mdsip: ReplayServer) -> None:
    with ReplayServer() as plain:
        tree = mdsip_tree(MdsipSource(url="127.0.0.1:1", tree_url=plain.url))
        try:
            (before,) = tree.marks(1)
            assert len(before.parts) == ACTIONS
            plain.edit("ESSENTIAL", "B", [1] * ACTIONS)
            (after,) = tree.marks(1)
            assert after.mark != before.mark
            others = [path for path in before.parts if after.parts[path] != before.parts[path]]
            assert len(others) == ACTIONS - 1  # one was essential before
        finally:
            tree.close()


def _shot(shotline: Supervisor) -> ShotView:
    return next(shot for shot in shotline.status().shots if (shot.tree, shot.shot) == ("TEST", 1))


def _command_line(site: Site, *arguments: str) -> "subprocess.CompletedProcess[str]":
    config = ("--config", str(site.stack.config_file))
    return subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", *config, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
