"""Old shots on their way from Redis into files, with the real parts, some of which are killed."""

from pathlib import Path

import pytest
from tests.support.stack import Stack, eventually

from shotline.client.errors import Refused
from shotline.client.exports.shot_files import export_shot
from shotline.client.supervisor import Supervisor
from shotline.common.past.shotfile import FileEntry, read_lines
from shotline.common.records import NoteWritten

EXPERIMENT = """\
experiment: TEST
phases: {INIT: 10}
actions:
  - path: BAD
    server_class: A
    phase: INIT
    when: 10
    task: {shell: ["sh", "-c", "echo the shutter is stuck; exit 3"]}
"""
SETTINGS = {"journal": {"keep_shots": 1}, "kept": {"before_removal": True}}


def run_shot(shotline: Supervisor, shot: int) -> None:
    shotline.create_pulse("TEST", shot)
    shotline.build_tables("TEST", shot)
    shotline.do_phase("INIT", "TEST", shot)


def in_redis(stack: Stack, shot: int) -> bool:
    return bool(stack.redis_client().keys(f"shotline:TEST:{shot}:*"))


def notes_in(file: Path) -> list[str]:
    """Return the notes in a file, all of which is read."""
    lines = [line for _, line in read_lines([file.read_bytes()])]
    records = [one for line in lines if isinstance(line, FileEntry) for one in line.records]
    return [one.text for one in records if isinstance(one, NoteWritten)]


def test_an_old_shot_leaves_redis_when_its_file_is_on_the_disk(tmp_path: Path) -> None:
    experiment = tmp_path / "test.yaml"
    experiment.write_text(EXPERIMENT)
    with Stack(tmp_path, servers=("A:1",), experiments={"TEST": experiment}, settings=SETTINGS) as (
        stack
    ):
        folder = stack.config.kept.folder
        first, second = folder / "TEST-1.shot.gz", folder / "TEST-2.shot.gz"
        with stack.supervisor() as shotline:
            run_shot(shotline, 1)
            folder.mkdir(mode=0o750)
            first.write_bytes(b"something of somebody's")
            before = shotline.show("BAD", "TEST", 1)
            run_shot(shotline, 2)
            status = stack.wait_until(lambda status: bool(status.keep_trouble))
            assert "TEST-1.shot.gz is in the way" in status.keep_trouble
            (alarm,) = (one for one in shotline.alarms().alarms if one.kind == "keeping")
            assert alarm.text == status.keep_trouble
            assert in_redis(stack, 1), "it stays"
            export_shot(shotline, "TEST", 2, second)
            shotline.note("TEST", 2, "later than the file")
            run_shot(shotline, 3)
        stack.dispatcher.kill()
        first.unlink()
        stack.dispatcher.start()
        eventually(first.exists)
        stack.dispatcher.kill()  # the file is there; whether Redis has forgotten it, nobody knows
        assert notes_in(first) == []
        assert first.stat().st_mode & 0o777 == 0o640
        was = first.stat().st_mtime_ns
        stack.dispatcher.start()
        stack.wait_until(lambda status: not status.recovering)
        for shot in (1, 2):
            eventually(lambda shot=shot: not in_redis(stack, shot))  # type: ignore[misc]
        assert first.stat().st_mtime_ns == was, "a file that has it all is not written again"
        assert notes_in(second) == ["later than the file"]
        with stack.supervisor() as shotline:
            shots = {one.shot: one.kept for one in shotline.find_shots().shots}
            assert shots == {1: "kept", 2: "kept", 3: ""}
            assert shotline.show("BAD", "TEST", 1) == before
            found = shotline.search("shutter stuck", where=("output",)).found
            assert sorted(one.shot for one in found) == [1, 2, 3]
            with pytest.raises(Refused, match="kept in a file"):
                shotline.note("TEST", 1, "too late")
            assert not [
                one for one in shotline.alarms().alarms if one.active and "TEST/1" in one.text
            ]
