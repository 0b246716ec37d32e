"""Every program keeps its exit code, whatever became of its standard output and error."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.fake_broker import FakeBroker, fake_broker, reply

from shotline.common.commands import AnyCommand
from shotline.common.messages import EXIT_CODES, Outcome, Reply, Request

DEADLINE_S = 60.0
CLI = "shotline.client.cli"
DAEMONS = ("broker", "dispatcher", "action_server", "monitor", "bridges.redis_dispatcher")
STREAMS = (">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full")


def failed(request: Request, _: AnyCommand) -> list[Reply]:
    return [reply(request, Outcome.FAILED, "two actions failed: Ä ●")]


@pytest.fixture(scope="module")
def broker() -> Iterator[FakeBroker]:
    with fake_broker(failed) as made:
        yield made


def run(
    line: str, streams: str = "", address: str = "tcp://127.0.0.1:9", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a module's command line by a shell, with its streams redirected."""
    return subprocess.run(
        ["bash", "-c", f'exec "$0" -m {line} {streams}', sys.executable],
        env={**os.environ, "SHOTLINE_BROKER": address, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=DEADLINE_S,
    )


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("options", ["", "--json"])
def test_a_failed_phase_is_5(broker: FakeBroker, streams: str, options: str) -> None:
    done = run(f"{CLI} do-phase INIT --wait {options}", streams, broker.address)
    assert done.returncode == EXIT_CODES[Outcome.FAILED]
    assert "fault of ours" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("line", "code"), [("do-phase INIT --wait", 5), ("nonsense", 1)])
def test_a_reader_who_has_gone_changes_no_exit_code(
    broker: FakeBroker, line: str, code: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", CLI, *line.split()],
            env={**os.environ, "SHOTLINE_BROKER": broker.address},
            stdout=writing,
            stderr=writing,
            timeout=DEADLINE_S,
        )
    finally:
        os.close(writing)
    assert done.returncode == code


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_is_escaped(broker: FakeBroker, encoding: str) -> None:
    done = run(f"{CLI} do-phase INIT --wait", "", broker.address, PYTHONIOENCODING=encoding)
    assert done.returncode == EXIT_CODES[Outcome.FAILED]
    assert "two actions failed" in done.stdout
    assert r"\u25cf" in done.stdout
    done = run(f"{CLI} do-phase ● ● ● ●", "", broker.address, PYTHONIOENCODING=encoding)
    assert done.returncode == EXIT_CODES[Outcome.USAGE]


@pytest.mark.parametrize("streams", [">&- 2>&-", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("version", 0),
        ("--help", 0),
        ("completion bash", 0),
        ("check-config /nonexistent", 1),
        ("nonsense", 1),
        ("up --config /nonexistent", 1),
        ("demo now", 1),
    ],
)
def test_every_kind_of_command_keeps_its_exit_code(line: str, code: int, streams: str) -> None:
    assert run(f"{CLI} {line}", streams).returncode == code


def test_output_that_is_incomplete_is_said() -> None:
    assert (
        "standard output is incomplete: No space left" in run(f"{CLI} version", ">/dev/full").stderr
    )


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_tells_its_options_to_any_stream(daemon: str) -> None:
    for streams in (">&-", ">/dev/full", "2>&-"):
        done = run(f"shotline.{daemon} --help", streams)
        assert (done.returncode, done.stderr) == (0, "")
    assert run(f"shotline.{daemon} --nonsense", "2>&-").returncode == 2
