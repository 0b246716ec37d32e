"""Where an action server's workers find modules, and what becomes of workers that do not start."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.action_server import ServerProcess, ServersBroker, python
from tests.support.stack import Stack

from shotline.client.errors import Refused
from shotline.common.actions import Status
from shotline.common.messages import Finished, LogLine, Register, Returned, ServerBeat

OURS = str(Path(__file__).parents[2])
HIDING = ("random", "signal", "select", "json", "types", "traceback", "threading", "msgpack")


@pytest.fixture
def broker() -> Iterator[ServersBroker]:
    broker = ServersBroker()
    yield broker
    broker.close()


def lab(folder: Path) -> Path:
    """Make a folder with a task's module, beside modules that are called as others are."""
    folder.mkdir(parents=True)
    for name in HIDING:
        (folder / f"{name}.py").write_text("raise RuntimeError('the wrong one')\n")
    (folder / "coils.py").write_text("def charge():\n    return __file__\n")
    return folder


def task(callable_: str) -> dict[str, object]:
    return {"kind": "python", "callable": callable_, "arguments": {}}


def test_modules_in_the_current_folder_are_found_and_hide_nothing(
    broker: ServersBroker, tmp_path: Path
) -> None:
    folder = lab(tmp_path / "here")
    server = ServerProcess(broker.address, tmp_path / "data", started_in=folder)
    try:
        broker.expect(Register)
        finished = broker.run(task("coils:charge"))
        assert (finished.status, finished.reason) == (Status.SUCCESS, str(folder / "coils.py"))
        assert broker.run(python("returns")).status is Status.SUCCESS
    finally:
        server.end()


def test_the_whole_system_starts_where_modules_hide_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, broken = lab(tmp_path / "here"), tmp_path / "broken"
    broken.mkdir()
    action = {"path": "CHARGE", "server_class": "LAB", "phase": "INIT", "when": 1}
    experiment = {
        "experiment": "TEST",
        "phases": {"INIT": 1},
        "actions": [action | {"task": {"python": "coils:charge"}}],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(experiment))
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", f"{broken}:")
    with (
        Stack(tmp_path, servers=("LAB:1",), experiments={"TEST": file}) as stack,
        stack.supervisor() as shotline,
    ):
        module = broken / "hashlib.py"
        module.write_text("raise RuntimeError('no tree today')\n")
        with pytest.raises(Refused, match="exit code 1: RuntimeError: no tree today"):
            shotline.create_pulse("TEST", 1)
        said = stack.dispatcher.log_file.read_text()
        assert "the tree worker of TEST says: Traceback (most recent call last)" in said
        module.unlink()
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        [done] = shotline.do_phase("INIT").actions
        assert (done.last.status, done.last.reason) == (Status.SUCCESS, str(here / "coils.py"))


def test_the_configuration_names_the_folders_of_modules(
    broker: ServersBroker, tmp_path: Path
) -> None:
    first, second = lab(tmp_path / "lab"), lab(tmp_path / "etc" / "more")
    (second / "gas.py").write_text("def fill():\n    return __file__\n")
    here = lab(tmp_path / "here")
    (here / "elsewhere.py").touch()
    config = tmp_path / "etc" / "config.yaml"
    config.write_text(yaml.safe_dump({"action_server": {"task_path": [str(first), "more"]}}))
    server = ServerProcess(
        broker.address, tmp_path / "data", "--config", str(config), started_in=here
    )
    try:
        broker.expect(Register)
        assert broker.run(task("coils:charge")).reason == str(first / "coils.py")
        assert broker.run(task("gas:fill")).reason == str(second / "gas.py")
        assert "No module named 'elsewhere'" in broker.run(task("elsewhere:go")).reason
    finally:
        server.end()


def test_a_worker_that_does_not_start_says_why_and_is_tried_again(
    broker: ServersBroker, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    server = ServerProcess(
        broker.address, tmp_path / "data", "--slots", "2", PYTHONPATH=f"{broken}:{OURS}"
    )

    def last_beat() -> ServerBeat:
        return broker.all(ServerBeat)[-1]

    try:
        broker.expect(Register)
        assert broker.run(python("returns")).status is Status.SUCCESS
        module = broken / "traceback.py"
        module.write_text("raise RuntimeError('not today')\n")
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)
        # The other one may not have been ready when it was killed: that is what it says first.
        trouble = "worker process 0 does not start: it exited with code 1: RuntimeError: not today"
        broker.wait(
            lambda: last_beat().broken == 2 and last_beat().trouble == trouble,
            "a heartbeat of a broken server",
        )
        assert last_beat().full
        returned = broker.expect(Returned, broker.dispatch(python("returns")))
        assert "RuntimeError: not today" in returned.why
        said = "\n".join(line.text for line in broker.all(LogLine) if line.level == "error")
        for words in (said, server.errors.read_text()):
            assert "Traceback (most recent call last)" in words
            assert str(module) in words
            assert "RuntimeError: not today" in words
        module.unlink()
        broker.wait(lambda: not last_beat().broken, "a heartbeat of a server that works")
        assert last_beat().trouble == ""
        assert broker.run(python("returns")).status is Status.SUCCESS
        assert len(broker.all(Finished)) == 2
    finally:
        server.end()
