"""`watch` and `display-logs` as processes beside a shot that goes on in the real stack."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stack import DEADLINE_S, Stack

from shotline.client.report import Report

EXPERIMENT = """
experiment: TEST
phases: {PULSE: 1}
actions:
  - path: TALK
    server_class: A
    phase: PULSE
    when: 10
    task:
      shell:
        - sh
        - -c
        - |
          echo one; echo two >&2; printf 'go?\\r'
          while [ ! -e %(go)s ]; do sleep 0.1; done
          echo three
  - {path: LISTEN, server_class: B, phase: PULSE, when: TALK, task: {shell: [echo, heard]}}
"""


class Shot:
    """A shot whose first action talks, waits until the test lets it go on, and talks again."""

    def __init__(self, folder: Path) -> None:
        self.go = folder / "go"
        file = folder / "experiment.yaml"
        file.write_text(EXPERIMENT % {"go": self.go})
        self.stack = Stack(folder, ("A:1", "B:1"), {"TEST": file})

    def begin(self) -> None:
        with self.stack.supervisor() as shotline:
            shotline.create_pulse("TEST", 1)
            shotline.build_tables("TEST", 1)
            shotline.do_phase("PULSE", "TEST", 1, wait=False)

    def end(self) -> Report:
        self.go.touch()
        with self.stack.supervisor() as shotline:
            return shotline.wait("TEST", 1, 1)


@pytest.fixture
def shot(tmp_path: Path) -> Iterator[Shot]:
    made = Shot(tmp_path)
    with made.stack:
        made.begin()
        yield made


@contextlib.contextmanager
def shotline(
    stack: Stack, *words: str, out: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "shotline.client.cli", *words],
        env={
            **os.environ,
            "SHOTLINE_BROKER": stack.config.broker.clients,
            "PYTHONUNBUFFERED": "1",
        },
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"{text!r} was not said:\n{''.join(lines)}")


def test_output_is_shown_while_the_action_runs_and_each_line_once(shot: Shot) -> None:
    with shotline(shot.stack, "display-logs", "test", "1", "A", "TALK") as process:
        said = read_until(process, "two")
        assert shot.end().ok
        rest, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        lines = "".join(said) + rest
        assert [word for word in ("one", "two", "three") if lines.count(word) == 1] == [
            "one",
            "two",
            "three",
        ]
        assert "err| two" in lines


def test_a_line_that_has_not_ended_is_shown_until_what_follows_takes_its_place(shot: Shot) -> None:
    reading, writing = pty.openpty()
    with shotline(shot.stack, "display-logs", "TEST", "1", "A", "TALK", out=writing) as process:
        os.close(writing)
        said = b""
        while b"go?" not in said:
            said += os.read(reading, 4096)
        with shot.stack.supervisor() as late:
            assert [one.text for one in late.logs("TALK", "TEST", 1).tails] == ["go?"]
        assert shot.end().ok
        with contextlib.suppress(OSError):  # a terminal's way to say that nobody writes any more
            while data := os.read(reading, 4096):
                said += data
        assert process.wait(DEADLINE_S) == 0
    os.close(reading)
    assert said.rindex(b"go?") < said.rindex(b"\r\x1b[2K") < said.rindex(b"three")


def test_any_shows_all_actions_of_the_class_and_json_is_one_object_a_line(shot: Shot) -> None:
    with shotline(shot.stack, "display_logs", "TEST/1", "A", "ANY", "--json") as process:
        said = read_until(process, '"two"')
        shot.end()
        said += read_until(process, "three")
        shown = [json.loads(line) for line in said]
        assert [one["text"] for one in shown] == ["one", "two", "three"]
        assert {one["path"] for one in shown} == {"\\TEST::TOP:TALK"}


def test_a_shot_is_watched_to_the_end_of_its_run(shot: Shot) -> None:
    with shotline(shot.stack, "watch", "TEST", "1", "--until-end") as process:
        assert shot.end().ok
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, out
        assert "Traceback" not in out


def test_output_of_what_is_unknown_is_refused_in_words(shot: Shot) -> None:
    for words, text in (
        (("TEST", "1", "C", "ANY"), "no actions of class C; it has A, B"),
        (("TEST", "1", "A", "NOBODY"), "has no action NOBODY"),
        (("TEST", "9", "A", "ANY"), "nothing is known of TEST/9"),
    ):
        with shotline(shot.stack, "display-logs", *words) as process:
            out, _ = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 2
            assert text in out
    with shotline(shot.stack, "watch", "TEST", "9") as process:
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 2
        assert "Traceback" not in out


BASH = """
eval "$(shotline completion bash)"
COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
COMP_LINE=$1 COMP_POINT=${#1}
compopt() { :; }
_shotline_completion shotline
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(line: str, broker: str) -> list[str]:
    """What bash puts behind this line when Tab is pressed."""
    programs = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", line],
        env={**os.environ, "SHOTLINE_BROKER": broker, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_bash_completes_what_the_running_dispatcher_knows(shot: Shot) -> None:
    expected = {
        "shotline build-tables TE": ["TEST"],
        "shotline do-phase TEST ": ["1"],
        "shotline do-phase TEST/1 ": ["PULSE"],
        "shotline show ta": ["TALK"],
        "shotline server-stop A": ["A", "A:1"],
        "shotline server-stop A:": ["1"],
        "shotline display-logs TEST 1 B ": ["LISTEN", "ANY"],
        "shotline actions --phase ": ["PULSE"],
        "shotline --timeout 3 abort-p": ["abort-pending"],
    }
    broker = shot.stack.config.broker.clients
    assert {line: completed(line, broker) for line in expected} == expected


def test_completion_is_silent_where_nobody_is(tmp_path: Path) -> None:
    nobody = f"ipc://{tmp_path}/nobody"
    assert completed("shotline show \\\\TEST::T", nobody) == [""]
    assert completed("shotline check-config etc", nobody) == [""]
