"""The systemd units and server_command.sh, which starts action servers with them."""

import configparser
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, eventually

ROOT = Path(__file__).resolve().parents[2]
ETC = ROOT / "etc"
UNITS = sorted((ETC / "systemd").glob("*.service"))
ACTION_SERVER = ETC / "systemd" / "shotline-action-server@.service"
SHUT_IN = [unit for unit in UNITS if unit != ACTION_SERVER]
SCRIPT = ETC / "server_command.sh"
LINE = re.compile(r"(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.*|[#;].*|)")
EXPOSURE_MAX = 2.0
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
PROGRAMS = dict(
    re.findall(r"^(\S+) = (\S+):main$", SETUP["options.entry_points"]["console_scripts"], re.M)
)


def ids(path: Path) -> str:
    return path.name


def tool(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    found = shutil.which(name)
    assert found, f"{name} is needed: apt install systemd"
    return subprocess.run([found, *arguments], text=True, capture_output=True, timeout=DEADLINE_S)


def service_of(unit: Path) -> dict[str, list[str]]:
    """Return the keys of a unit's [Service] section with all their values."""
    text = unit.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("[Install]")[0]
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("unit", [*UNITS, ETC / "systemd" / "shotline.target"], ids=ids)
def test_systemd_understands_the_unit(unit: Path) -> None:
    for line in unit.read_text(encoding="utf-8").splitlines():
        assert LINE.fullmatch(line), line
    done = tool("systemd-analyze", "verify", "--man=no", unit)
    # Keys that systemd ignores are told and do not change the exit code.
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=ids)
def test_the_unit_runs_one_of_our_programs_under_supervision(unit: Path) -> None:
    service = service_of(unit)
    (started,) = re.findall(r"shotline-[a-z-]+", service["ExecStart"][0])
    assert started in PROGRAMS
    assert service["Type"] == ["notify"]
    assert service["Restart"] == ["on-failure"]
    assert int(service["WatchdogSec"][0]) > 0
    text = unit.read_text(encoding="utf-8")
    assert "PartOf=shotline.target" in text
    assert "WantedBy=shotline.target" in text


@pytest.mark.parametrize("unit", SHUT_IN, ids=ids)
def test_a_daemon_can_do_little_to_its_machine(unit: Path) -> None:
    """All but the action server, whose tasks are the site's own; its unit says so."""
    judged = tool("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
    exposure = re.search(r"exposure level for \S+ ([0-9.]+)", judged)
    assert exposure, judged
    assert float(exposure[1]) <= EXPOSURE_MAX, judged


def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made = tool("systemd-sysusers", "--root", tmp_path, ETC / "sysusers.d" / "shotline.conf")
    assert made.returncode == 0, made.stderr
    users = (tmp_path / "etc" / "passwd").read_text()
    assert re.search(r"^shotline:.*:/var/lib/shotline:\S*nologin$", users, re.M)
    if os.geteuid() != 0:  # the folders belong to others
        pytest.skip("only root may make them")
    made = tool(
        "systemd-tmpfiles", "--create", "--root", tmp_path, ETC / "tmpfiles.d" / "shotline.conf"
    )
    assert (made.returncode, made.stderr) == (0, "")
    modes = {
        path: (tmp_path / path).stat().st_mode & 0o777
        for path in ("etc/shotline", "var/lib/shotline", "etc/credstore")
    }
    assert modes == {"etc/shotline": 0o750, "var/lib/shotline": 0o750, "etc/credstore": 0o700}


RULES = """
const results = { YES: "yes", NOT_HANDLED: "nothing" };
let rule;
const polkit = { Result: results, addRule: (given) => { rule = given; } };
%s
const asked = (id, user, unit) => rule({ id, lookup: () => unit }, { user });
const manage = "org.freedesktop.systemd1.manage-units";
console.log(JSON.stringify([
    asked(manage, "shotline", "shotline-action-server@GAS-2:x_1.service"),
    asked(manage, "shotline", "ssh.service"),
    asked(manage, "shotline", "shotline-action-server@GAS:1.service.ssh.service/"),
    asked(manage, "somebody", "shotline-action-server@GAS:1.service"),
    asked("org.freedesktop.login1.reboot", "shotline", "shotline-action-server@GAS:1.service"),
]));
"""


def test_the_monitor_s_user_may_manage_action_servers_and_nothing_else() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("polkit's rules are JavaScript, and node is not installed")
    rules = (ETC / "polkit" / "50-shotline.rules").read_text(encoding="utf-8")
    done = subprocess.run([node, "-e", RULES % rules], text=True, capture_output=True, check=True)
    assert json.loads(done.stdout) == ["yes", "nothing", "nothing", "nothing", "nothing"]


def test_stopping_an_action_server_ends_what_its_workers_left() -> None:
    service = service_of(ACTION_SERVER)
    assert service["KillMode"] == ["mixed"]
    assert int(service["TimeoutStopSec"][0]) > 0


@pytest.mark.parametrize(
    ("instance", "arguments"),
    [("GAS:1", "GAS|1|"), ("GAS-2.B:x_3", "GAS-2.B|x_3|"), ("$(id):;id", "$(id)|;id|")],
)
def test_the_instance_is_taken_apart_and_never_run(instance: str, arguments: str) -> None:
    service = service_of(ACTION_SERVER)
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
    monkeypatch.setenv("SHOTLINE_SERVER_HOSTS", str(tmp_path / "server_hosts"))
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


HOSTS = """\
# Where our servers are.
GAS:2 gas-two
GAS here.gas
GAS:3 too-late

HEAT localhost
HEAT:2 heater
BAD -oProxyCommand=id
"""


@pytest.fixture
def hosts(tmp_path: Path, systemctl: Path) -> Path:
    """Put an ssh on the PATH that writes down how it was called, beside the systemctl."""
    (tmp_path / "server_hosts").write_text(HOSTS)
    program = tmp_path / "bin" / "ssh"
    program.write_text(
        f'#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\necho "ssh $*" >> {systemctl}\n'
        '[ "$1" != heater ] || exit 255\n'
    )
    program.chmod(0o755)
    return systemctl


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (("GAS", "START", "2"), ["ssh gas-two {} GAS START 2"], 0),
        (("GAS", "START", "3"), ["ssh here.gas {} GAS START 3"], 0),
        (("GAS", "START"), ["ssh here.gas {} GAS START 1"], 0),
        (
            ("GAS", "STATUS"),
            [f"ssh {host} {{}} GAS STATUS" for host in ("gas-two", "here.gas", "too-late")],
            0,
        ),
        (
            ("HEAT", "STOP"),
            [
                "--no-ask-password stop -- shotline-action-server@HEAT:*.service",
                "ssh heater {} HEAT STOP",
            ],
            255,
        ),
        (
            ("DAQ", "STOP", "1"),
            ["--no-ask-password stop -- shotline-action-server@DAQ:1.service"],
            0,
        ),
    ],
)
def test_servers_of_other_hosts_are_reached_by_ssh(
    hosts: Path, arguments: tuple[str, ...], expected: list[str], code: int
) -> None:
    done = command(*arguments)
    assert (done.returncode, "heater could not be asked" in done.stderr) == (code, code == 255)
    calls = [line.strip() for line in hosts.read_text().splitlines()]
    assert calls == [call.format("sh /etc/shotline/server_command.sh") for call in expected]


def test_a_host_that_is_an_option_is_refused(hosts: Path) -> None:
    done = command("BAD", "START")
    assert done.returncode == 64
    assert "not a host" in done.stderr
    assert not hosts.exists()


@pytest.fixture
def ssh_server(tmp_path: Path, hosts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a real sshd whose only key may run the script alone, and let `ssh other` reach it."""
    server = Path("/usr/sbin/sshd")
    assert server.exists(), "sshd is needed: apt install openssh-server"
    keys = {name: tmp_path / name for name in ("host_key", "key")}
    for key in keys.values():
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]
        subprocess.run(made, check=True, timeout=DEADLINE_S)
    (port,) = free_ports(1)
    forced = f"env PATH={hosts.parent / 'bin'}:/usr/bin:/bin sh {SCRIPT}"
    public = (tmp_path / "key.pub").read_text()
    (tmp_path / "authorized").write_text(f'restrict,command="{forced}" {public}')
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {keys['host_key']}\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path / 'authorized'}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (tmp_path / "sshd.log").open("w") as said:
        process = subprocess.Popen(
            [server, "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=said
        )
    ssh = shutil.which("ssh", path="/usr/bin:/bin")
    assert ssh, "ssh is needed: apt install openssh-client"
    (tmp_path / "bin" / "ssh").write_text(
        f'#!/bin/sh\nexec {ssh} -F {tmp_path / "ssh_config"} "$@"\n'
    )
    (tmp_path / "ssh_config").write_text(
        f"Host other\n HostName 127.0.0.1\n Port {port}\n IdentityFile {keys['key']}\n"
        f" UserKnownHostsFile {tmp_path / 'known_hosts'}\n StrictHostKeyChecking accept-new\n"
    )
    (tmp_path / "server_hosts").write_text("GAS other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        eventually(lambda: "listening" in (tmp_path / "sshd.log").read_text())
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)


@pytest.mark.usefixtures("ssh_server")
def test_over_a_real_ssh_the_key_runs_the_script_and_nothing_else(
    hosts: Path, tmp_path: Path
) -> None:
    done = command("GAS", "RESTART", "2")
    assert done.returncode == 0, done.stderr
    assert hosts.read_text().split() == [
        *("--no-ask-password", "restart", "--", "shotline-action-server@GAS:2.service")
    ]
    hosts.unlink()
    for asked in ("id", "sh -c id x", "sh x GAS;id START", "sh x GAS START $(id)", "sh x * KILL"):
        with contextlib.suppress(FileNotFoundError):
            hosts.unlink()
        tried = subprocess.run(
            [tmp_path / "bin" / "ssh", "other", asked], text=True, capture_output=True
        )
        assert (tried.returncode, tried.stdout) == (64, ""), tried.stderr
        assert not hosts.exists()
