"""The run loop in a real process: signals, faults, closed pipes, systemd's socket, logs."""

import contextlib
import json
import logging
import os
import pstats
import signal
import socket
import subprocess
import sys
import syslog
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shotline.common.actions import AttemptId
from shotline.common.errors import ConfigError
from shotline.common.process.logs import configure_logging
from shotline.common.process.service import EXIT_FAULT, give_up
from shotline.common.process.systemd import Systemd
from shotline.common.records import ShotKey
from shotline.common.settings.config import LoggingSection

DEADLINE_S = 30
PREAMBLE = """
import os, sys, time
from shotline.common.settings.config import LoggingSection
from shotline.common.errors import MalformedMessage
from shotline.common.process.logs import configure_logging
from shotline.common.process.service import Service
configure_logging("test", LoggingSection())
service = Service("test")
"""


def start(
    body: str, environment: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + body + "\nsys.exit(service.run())"],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


READY = """
said = []
def tick():
    said.append(1)
    print("runs", flush=True)
service.on_due(lambda: None if said else 0.0, tick)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_daemon_in_order(number: signal.Signals) -> None:
    process = start(READY)
    assert first_line(process) == "runs"
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (0, "")


def test_a_fault_of_ours_ends_the_daemon_with_its_traceback() -> None:
    process = start("service.on_due(lambda: 0.0, lambda: 1 / 0)")
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == EXIT_FAULT
    assert "CRITICAL" in errors
    assert "ZeroDivisionError" in errors


def test_a_peers_fault_is_logged_and_the_daemon_goes_on() -> None:
    process = start(
        """
calls = []
def tick():
    calls.append(1)
    if len(calls) == 2:
        service.stop()
    raise MalformedMessage("three frames")
service.on_due(lambda: 0.0, tick)
"""
    )
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "MalformedMessage: three frames" in errors


def test_a_closed_pipe_does_not_spin() -> None:
    """Its callback ignores the end of file; the loop must not see it for ever."""
    process = start(
        """
calls = []
service.watch(0, lambda: calls.append(os.read(0, 100)))
deadline = []
def tick():
    print(len(calls), flush=True)
    service.stop()
def flush():
    if b"" in calls and not deadline:
        deadline.append(time.monotonic() + 0.2)
service.on_due(lambda: deadline[0] if deadline else None, tick)
service.after_each(flush)
""",
        stdin=subprocess.PIPE,
    )
    output, _ = process.communicate("some", timeout=DEADLINE_S)
    assert process.returncode == 0
    assert int(output) <= 3


def test_systemd_hears_ready_watchdog_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        process = start(
            "service.ready('serving')",
            {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"},
        )
        assert systemd.recv(1000) == b"READY=1\nSTATUS=serving"
        assert [systemd.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.terminate()
        said = systemd.recv(1000)
        while said == b"WATCHDOG=1":
            said = systemd.recv(1000)
        assert said == b"STOPPING=1"
        assert process.wait(DEADLINE_S) == 0
        process.communicate()


def test_a_loop_that_stands_still_does_not_say_that_it_works(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        process = start(
            """
def tick():
    service.status("stuck")
    time.sleep(0.2)
    service.status("works")
    done.append(1)
done = []
service.on_due(lambda: None if done else 0.0, tick)
""",
            {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000"},
        )
        said = systemd.recv(1000)
        while said != b"STATUS=stuck":
            said = systemd.recv(1000)
        assert [systemd.recv(1000) for _ in range(3)] == [
            b"STATUS=works",
            b"WATCHDOG=1",
            b"WATCHDOG=1",
        ]
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def test_a_reload_before_the_daemon_serves_is_not_told(tmp_path: Path) -> None:
    """Its READY would let the daemon count as started."""
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_UNIX, 2) as systemd:
        patch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        systemd.bind(str(tmp_path / "notify"))
        told = Systemd()
        with told.reloading():
            pass
        told.ready("serving")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=serving"
        told.close()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("watchdog", ["", "2000"])
def test_a_systemd_that_does_not_read_is_waited_for_by_nobody_and_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watchdog: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", watchdog)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        stuck = Systemd()
        for number in range(10_000):
            stuck.send(f"STATUS={number}")
        stuck.send("READY=1\nSTATUS=serving")
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(systemd.recv(1000))
        assert b"READY=1" not in b"".join(heard)
        deadline = time.monotonic() + DEADLINE_S
        told = b""
        while b"READY=1" not in told:
            assert stuck.due is not None
            assert time.monotonic() < deadline
            stuck.keep_alive()
            with contextlib.suppress(BlockingIOError):
                told = systemd.recv(1000)
        assert set(told.split(b"\n")) >= {b"READY=1", b"STATUS=serving"}
        stuck.close()


def test_a_profile_is_written_at_the_end(tmp_path: Path) -> None:
    process = start(
        "service.on_due(lambda: 0.0, service.stop)",
        {"SHOTLINE_PROFILE": str(tmp_path / "{program}.prof")},
    )
    process.communicate(timeout=DEADLINE_S)
    assert pstats.Stats(str(tmp_path / "test.prof")).total_calls > 0  # type: ignore[attr-defined]


@pytest.fixture
def _logging_restored() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_logging_restored")
def test_a_log_file_is_rotated(tmp_path: Path) -> None:
    settings = LoggingSection(file=str(tmp_path / "{program}.log"), max_size=500, rotations=2)
    configure_logging("broker", settings)
    for number in range(50):
        logging.getLogger("shotline").info("line %d of the log", number)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "broker.log",
        "broker.log.1",
        "broker.log.2",
    ]
    assert "line 49 of the log" in (tmp_path / "broker.log").read_text()


@pytest.mark.usefixtures("_logging_restored")
def test_a_log_without_old_files_is_bounded_too(tmp_path: Path) -> None:
    settings = LoggingSection(file=str(tmp_path / "{program}.log"), max_size=500, rotations=0)
    configure_logging("broker", settings)
    for number in range(50):
        logging.getLogger("shotline").info("line %d of the log", number)
    [file] = tmp_path.iterdir()
    assert "line 49 of the log" in file.read_text()
    assert file.stat().st_size <= 500


STDERR_LOG = """
import logging, os, sys
from shotline.common.settings.config import LoggingSection
from shotline.common.process.logs import configure_logging
configure_logging("test", LoggingSection(max_size=500, rotations=2))
for number in range(50):
    logging.getLogger("shotline").info("line %d of the log", number)
    os.write(2, b"past the loggers\\n")
os.rename(os.environ["SHOTLINE_ERROR_FILE"], "moved.log")
configure_logging("test", LoggingSection(max_size=500, rotations=2))  # as SIGHUP does
print("to standard output", flush=True)
sys.exit("its last words")
"""


@pytest.mark.parametrize("ours", [True, False])
def test_standard_error_is_rotated_where_it_is_the_named_file(
    tmp_path: Path, *, ours: bool
) -> None:
    log = tmp_path / "test.log"
    named = log if ours else tmp_path / "other.log"
    named.touch()
    with log.open("ab") as written:
        done = subprocess.run(
            [sys.executable, "-c", STDERR_LOG],
            cwd=tmp_path,
            stdout=written,
            stderr=written,
            env={**os.environ, "SHOTLINE_ERROR_FILE": str(named)},
            timeout=60,
        )
    assert done.returncode == 1
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    if ours:
        assert set(files) == {"test.log", "test.log.1", "test.log.2", "moved.log"}
        assert files["test.log"] == "to standard output\nits last words\n"
        assert all(len(text) < 700 for text in files.values())
        assert "line 49 of the log" in files["moved.log"]
        assert "past the loggers" in files["moved.log"]
    else:
        assert files.keys() == {"test.log", "moved.log"}
        assert files["moved.log"] == ""
        assert files["test.log"].endswith("its last words\n")


@pytest.mark.usefixtures("_logging_restored")
def test_a_log_file_that_cannot_be_written_is_an_error_and_logging_stays_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(ConfigError, match="cannot write the log file"):
        configure_logging("broker", LoggingSection(file=str(tmp_path / "plain" / "{program}.log")))
    logging.getLogger("shotline").warning("still here")
    assert "still here" in capsys.readouterr().err


@pytest.mark.usefixtures("_logging_restored")
def test_what_a_peer_sends_begins_no_line_and_moves_no_cursor(tmp_path: Path) -> None:
    configure_logging("broker", LoggingSection(file=str(tmp_path / "{program}.log")))
    # Apart from all others: what the tests' own handlers keep must be text that can be sent.
    apart = logging.Logger("shotline")
    [file] = [one for one in logging.getLogger().handlers if isinstance(one, logging.FileHandler)]
    apart.addHandler(file)
    apart.warning("bad: %s", "\x1b[2J\r\udc80\x9b\n2026-01-01 CRITICAL all lost")
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        apart.exception("failed")
    text = (tmp_path / "broker.log").read_bytes().decode()
    assert "\n    2026-01-01 CRITICAL all lost" in text
    assert "\\x1b[2J\\r\\udc80\\x9b" in text
    assert "ValueError: \\x1b[2J" in text
    assert all(one.isprintable() or one == "\n" for one in text)


@pytest.mark.usefixtures("_logging_restored")
def test_lines_for_programs_say_what_they_are_about(tmp_path: Path) -> None:
    settings = LoggingSection(file=str(tmp_path / "{program}.log"), format="json")
    configure_logging("dispatcher", settings)
    # Apart from all others: what the tests' own handlers keep must be text that can be sent.
    ours = logging.Logger("shotline.test")
    [file] = [one for one in logging.getLogger().handlers if isinstance(one, logging.FileHandler)]
    ours.addHandler(file)
    attempt = AttemptId("TEST", 42, "GAS:PUFF", 2)
    ours.error("it failed: %s", "\x1b[2J\n{", extra={"about": attempt})
    ours.warning("held", extra={"about": ShotKey("TEST", 42)})
    try:
        raise ValueError("µ\udc80")
    except ValueError:
        ours.exception("of no shot")
    text = (tmp_path / "dispatcher.log").read_bytes().decode("ascii")
    assert all(one.isprintable() or one == "\n" for one in text)
    failed, held, ours_only = map(json.loads, text.splitlines())
    assert failed["message"] == "it failed: \x1b[2J\n{"
    assert (failed["shot"], failed["action"], failed["attempt"]) == ("TEST/42", "GAS:PUFF", 2)
    assert (failed["level"], failed["program"]) == ("error", "dispatcher")
    assert failed["pid"] == os.getpid()
    assert failed["time"].endswith("+00:00")
    assert held["shot"] == "TEST/42"
    assert "action" not in held
    assert "shot" not in ours_only
    assert "ValueError: µ" in ours_only["exception"]


IN_THE_JOURNAL = """
import logging, os
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
from shotline.common.settings.config import LoggingSection
from shotline.common.process.logs import configure_logging
configure_logging("test", LoggingSection(format=os.environ["FORM"]))
logging.getLogger("shotline").error("two\\nlines")
"""


@pytest.mark.parametrize(
    ("form", "begins"),
    [("text", ["<3>shotline: two", "<3>    lines"]), ("json", ['<3>{"time": '])],
)
def test_the_journal_is_told_the_level_of_each_line(form: str, begins: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_JOURNAL],
        env={**os.environ, "FORM": form},
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
    )
    said = done.stderr.splitlines()
    assert len(said) == len(begins)
    assert all(line.startswith(begin) for line, begin in zip(said, begins, strict=True))


@contextlib.contextmanager
def errors_to(file: str) -> Iterator[None]:
    """Let standard error be another file."""
    kept = os.dup(2)
    opened = os.open(file, os.O_WRONLY)
    os.dup2(opened, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(opened)


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.parametrize("nowhere", ["/dev/null", "/dev/full"])
def test_without_a_log_file_the_systems_log_is_told(
    monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    told: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, text: told.append(text))
    with errors_to(nowhere):
        configure_logging("broker", LoggingSection(file=None))
        logging.getLogger("shotline").warning("not so bad")
        with pytest.raises(SystemExit):
            give_up("shotline-broker", ConfigError("no such port"))
    [line] = told
    assert "shotline-broker cannot begin: no such port" in line


@pytest.mark.usefixtures("_logging_restored")
def test_what_a_full_disk_does_not_take_goes_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broker.log").symlink_to("/dev/full")
    settings = LoggingSection(file=str(tmp_path / "{program}.log"), max_size=10, rotations=1)
    for word in ("goes on", "goes on still"):
        configure_logging("broker", settings)  # as SIGHUP does
        logging.getLogger("shotline").error(word)
    said = capsys.readouterr().err
    assert "goes on\n" in said
    assert "goes on still\n" in said
    assert "Traceback" not in said
