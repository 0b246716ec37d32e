"""Shots in files, with the real parts: export, an emptied Redis, import, the same story again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from tests.support.stack import Stack

from shotline.client.errors import Refused, SupervisorError, WrongArguments
from shotline.client.exports.shot_files import export_shot, import_shot
from shotline.client.supervisor import Supervisor
from shotline.client.verbs import past_verbs
from shotline.common.views import StoryResult

EXPERIMENT = """\
experiment: TEST
phases: {INIT: 10, PULSE: 20}
actions:
  - path: GOOD
    server_class: A
    phase: INIT
    when: 10
    task: {shell: ["sh", "-c", "echo hello; printf 'caf\\\\351\\\\n'; echo wrong >&2"]}
  - path: BAD
    server_class: A
    phase: INIT
    when: 20
    task: {shell: ["sh", "-c", "echo the shutter is stuck; exit 3"]}
  - path: LONG
    server_class: A
    phase: PULSE
    when: 10
    task: {shell: ["sh", "-c", "while [ ! -e GO ]; do sleep 0.05; done"]}
"""
"""LONG runs until there is a file GO in the test's folder."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("kept")
    file = folder / "test.yaml"
    file.write_text(EXPERIMENT.replace("GO ]", f"{folder}/GO ]"))
    with Stack(folder, servers=("A:1",), experiments={"TEST": file}) as running:
        yield running


def run_shot(shotline: Supervisor, shot: int) -> None:
    shotline.create_pulse("TEST", shot)
    shotline.build_tables("TEST", shot)
    shotline.do_phase("INIT", "TEST", shot)


def story(shotline: Supervisor, path: str, shot: int) -> StoryResult:
    return shotline.show(path, "TEST", shot)


def worker_of(stack: Stack) -> psutil.Process:
    """Return the process that looks at the past."""
    dispatcher = psutil.Process(stack.dispatcher.pid)
    (found,) = [
        one
        for one in dispatcher.children(recursive=True)
        if "shotline.dispatcher.past.worker" in one.cmdline()
    ]
    return found


def test_a_shot_comes_back_as_it_was(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "one.shot.gz"
    with stack.supervisor() as shotline:
        run_shot(shotline, 1)
        shotline.note("TEST", 1, "the shutter again", path="BAD")
        before = {path: story(shotline, path, 1) for path in ("GOOD", "BAD", "LONG")}
        logs = shotline.logs("GOOD", "TEST", 1)
        actions = shotline.actions("TEST", 1)
        told = export_shot(shotline, "TEST", 1, file)
        assert not told.open
        assert file.stat().st_mode & 0o777 == 0o640
        assert not import_shot(shotline, file).is_new, "it is here already"
    stack.dispatcher.stop()
    stack.redis_client().flushall()
    stack.dispatcher.start()
    stack.wait_until(lambda status: not status.recovering)
    with stack.supervisor() as shotline:
        with pytest.raises(Refused, match="TEST/1"):
            story(shotline, "BAD", 1)
        assert import_shot(shotline, file).is_new
        assert not import_shot(shotline, file).is_new, "twice changes nothing"
        for path, was in before.items():
            assert msgspec.structs.replace(story(shotline, path, 1)) == was
        assert shotline.logs("GOOD", "TEST", 1) == logs
        assert shotline.actions("TEST", 1).actions == actions.actions
        (shot,) = shotline.find_shots().shots
        assert shot.kept == "imported"
        assert "imported by" in shot.kept_words
        assert [one.name for one in shotline.failures().failures] == ["BAD"]
        (found,) = shotline.search("shutter stuck", where=("output",)).found
        assert (found.shot, found.path) == (1, before["BAD"].action.path)
        for refused in (
            past_verbs.note("TEST", 1, "no"),
            past_verbs.note("TEST", 1, note=1, remove=True),
        ):
            with pytest.raises(Refused, match="kept in a file"):
                shotline.ask(refused)
        with pytest.raises(Refused, match="kept in a file"):
            shotline.do_phase("INIT", "TEST", 1)
        again = tmp_path / "again.shot.gz"
        export_shot(shotline, "TEST", 1, again)
        assert not import_shot(shotline, again).is_new, "a copy of a copy is the same shot"
    stack.dispatcher.kill()
    stack.dispatcher.start()
    stack.wait_until(lambda status: not status.recovering)
    with stack.supervisor() as shotline:
        assert story(shotline, "BAD", 1) == before["BAD"], "a file survives whoever reads it"
        with pytest.raises(Refused, match="kept in a file"):
            shotline.create_pulse("TEST", 1)


def test_another_shot_of_that_name_and_a_damaged_file_are_refused(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "five.shot.gz"
    folder = stack.config.kept.folder
    with stack.supervisor() as shotline:
        run_shot(shotline, 5)
        export_shot(shotline, "TEST", 5, file)
        shotline.note("TEST", 5, "later")
        before = sorted(folder.glob("*")) if folder.exists() else []
        with pytest.raises(Refused, match="TEST/5 is here already, and is not the same"):
            import_shot(shotline, file)
        whole = file.read_bytes()
        for damaged in (whole[:-5], whole[:200], b"", whole[:90] + b"\0" + whole[91:]):
            file.write_bytes(damaged)
            with pytest.raises(WrongArguments, match=r"five\.shot\.gz"):
                import_shot(shotline, file)
            upload = os.urandom(8).hex()
            for start in range(0, len(damaged), 1000):
                piece = damaged[start : start + 1000]
                shotline.ask(past_verbs.import_piece(upload, start, piece))
            with pytest.raises(SupervisorError):
                shotline.ask(past_verbs.import_shot(upload, len(damaged), "0" * 64))
        with pytest.raises(Refused, match="a piece of the upload is missing"):
            shotline.ask(past_verbs.import_piece("ab" * 8, 1000, b"behind nothing"))
        assert sorted(folder.glob("*")) == before, "nothing of them is left"


def test_an_import_and_a_stopped_search_hold_up_no_running_phase(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "six.shot.gz"
    with stack.supervisor() as shotline, stack.supervisor() as other:
        run_shot(shotline, 6)
        export_shot(shotline, "TEST", 6, file)
        run_shot(shotline, 7)
        shotline.do_phase("PULSE", "TEST", 7, wait=False)
        open_file = tmp_path / "seven.shot.gz"
        told = export_shot(other, "TEST", 7, open_file)
        assert told.open
        assert "still open" in told.words
        stack.redis_client().delete(*stack.redis_client().keys("shotline:TEST:6:*"))
        assert import_shot(other, file).is_new
        worker = worker_of(stack)
        worker.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(SupervisorError):
                other.ask(past_verbs.search("anything"), timeout_s=0.3)
            (stack.folder / "GO").touch()
            assert shotline.wait("TEST", 7).ok, "the phase ends, with the search unanswered"
        finally:
            worker.send_signal(signal.SIGCONT)


def test_a_death_in_the_middle_of_an_import_leaves_nothing(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "eight.shot.gz"
    folder = stack.config.kept.folder
    with stack.supervisor() as shotline:
        run_shot(shotline, 8)
        export_shot(shotline, "TEST", 8, file)
        data = file.read_bytes()
        shotline.ask(past_verbs.import_piece("cd" * 8, 0, data[:500]))
        assert list(folder.glob("*.part"))
        worker_of(stack).kill()
        with pytest.raises(SupervisorError):
            shotline.ask(past_verbs.import_shot("cd" * 8, len(data), "0" * 64))
        assert shotline.find_shots(words="TEST/8").shots[0].kept == "", "nothing half imported"
        assert not list(folder.glob("*.part")), "the next one has removed what was on its way"
        assert not import_shot(shotline, file).is_new
