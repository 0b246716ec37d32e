"""The systemd units and server_command.sh, which starts action servers with them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "etc" / "systemd").glob("*.service"))
SCRIPT = ROOT / "etc" / "server_command.sh"
LINE = re.compile(r"(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=\S.*|[#;].*|)")


def ids(path: Path) -> str:
    return path.name


def service_of(unit: Path) -> dict[str, list[str]]:
    """Return the keys of a unit's [Service] section with all their values."""
    text = unit.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("[Install]")[0]
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=ids)
def test_systemd_understands_the_unit(unit: Path) -> None:
    """By systemd's own judgement where systemd is installed, else by the form of its lines."""
    for line in unit.read_text(encoding="utf-8").splitlines():
        assert LINE.fullmatch(line), line
    if tool := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [tool, "verify", "--man=no", unit], text=True, capture_output=True, timeout=60
        )
        # Keys that systemd ignores are told and do not change the exit code.
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=ids)
def test_the_unit_runs_one_of_our_programs_under_supervision(unit: Path) -> None:
    service = service_of(unit)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    programs = re.findall(r"^(\S+) =", setup["options.entry_points"]["console_scripts"], re.M)
    (started,) = re.findall(r"shotline-[a-z-]+", service["ExecStart"][0])
    assert started in programs
    assert service["Type"] == ["notify"]
    assert service["Restart"] == ["on-failure"]
    assert int(service["WatchdogSec"][0]) > 0


def test_stopping_an_action_server_ends_what_its_workers_left() -> None:
    service = service_of(ROOT / "etc" / "systemd" / "shotline-action-server@.service")
    assert service["KillMode"] == ["mixed"]
    assert int(service["TimeoutStopSec"][0]) > 0


@pytest.mark.parametrize(
    ("instance", "arguments"),
    [("GAS:1", "GAS|1|"), ("GAS-2.B:x_3", "GAS-2.B|x_3|"), ("$(id):;id", "$(id)|;id|")],
)
def test_the_instance_is_taken_apart_and_never_run(instance: str, arguments: str) -> None:
    service = service_of(ROOT / "etc" / "systemd" / "shotline-action-server@.service")
    found = re.fullmatch(r"/bin/sh -c '(.*)' sh %i", service["ExecStart"][0])
    assert found
    command = found[1].replace("$$", "$").replace("%%", "%")
    shown = command.replace("exec shotline-action-server", "printf '%s|'")
    assert shown != command
    done = subprocess.run(
        ["/bin/sh", "-c", shown, "sh", instance], text=True, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (0, arguments)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a systemctl on the PATH that writes down how it was called; return that file."""
    called = tmp_path / "called"
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s " "$@" >> {called}; echo >> {called}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return called


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", SCRIPT, *arguments], text=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("GAS", "START"), ["start -- shotline-action-server@GAS:1.service"]),
        (("GAS", "START", "2"), ["start -- shotline-action-server@GAS:2.service"]),
        (("GAS", "STOP", "2"), ["stop -- shotline-action-server@GAS:2.service"]),
        (("GAS", "RESTART"), ["restart -- shotline-action-server@GAS:*.service"]),
        (("GAS", "STATUS", "1"), ["is-active -- shotline-action-server@GAS:1.service"]),
        (
            ("GAS", "KILL", "1"),
            [
                "kill --signal=SIGKILL -- shotline-action-server@GAS:1.service",
                "stop -- shotline-action-server@GAS:1.service",
            ],
        ),
    ],
)
def test_a_command_becomes_a_call_of_systemctl(
    systemctl: Path, arguments: tuple[str, ...], expected: list[str]
) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    calls = [line.strip() for line in systemctl.read_text().splitlines()]
    assert calls == [f"--no-ask-password {call}" for call in expected]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("GAS",),
        ("GAS", "EXPLODE"),
        ("GAS", "START", "1", "2"),
        ("", "START"),
        ("GAS", "START", ""),
        ("../x", "START"),
        ("GAS;id", "START"),
        ("--force", "START"),
        ("*", "KILL"),
        ("GAS\nGAS", "START"),
    ],
)
def test_wrong_arguments_reach_no_systemctl(systemctl: Path, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 64
    assert "usage: server_command.sh CLASS" in done.stderr
    assert not systemctl.exists()


@pytest.mark.parametrize(
    "there", [True, False], ids=["a systemctl that reaches none", "no systemctl"]
)
def test_where_there_is_no_systemd_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "uname"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    if there:
        (programs / "systemctl").write_text("#!/bin/sh\necho not booted with it >&2\nexit 1\n")
        (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    done = command("GAS", "START", "1")
    booted = there and Path("/run/systemd/system").is_dir()  # then systemctl's own words count
    assert done.returncode == (1 if booted else 69)
    assert booted or "`shotline up`" in done.stderr
    assert booted or "monitor.server_command" in done.stderr
