"""docs/installing.md: what it names exists, its configurations are in order, several hosts work.

The hosts are network namespaces of their own, as is each with its own loopback.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.stack import DEADLINE_S, eventually

from shotline.client.cli.main import shotline
from shotline.common.process import interpreter
from shotline.common.settings.config import check_config

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.S)
CONFIGURATIONS = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.S)
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: HERE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, hello]}}
"""


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=["one host", "several hosts"])
def test_the_configurations_are_in_order(tmp_path: Path, text: str) -> None:
    shutil.copytree(ROOT / "etc" / "experiments", tmp_path / "experiments")
    file = tmp_path / "config.yaml"
    file.write_text(text.replace("/var/lib/shotline", str(tmp_path)))
    assert check_config(file, environment={}) == []


def test_every_command_exists() -> None:
    named = set(
        re.findall(r"^(?:runuser -u shotline -- )?shotline ([a-z-]+)", "\n".join(SHELL), re.M)
    )
    named |= set(re.findall(r"`shotline\s+([a-z-]+)", DOCUMENT))
    assert {"doctor", "check-config", "do-phase", "support-bundle"} <= named
    assert named <= set(shotline.commands)


def test_every_unit_and_file_exists() -> None:
    units = {path.name.partition(".")[0].rstrip("@") for path in (ROOT / "etc/systemd").iterdir()}
    named = set(re.findall(r"(shotline-(?!support)[a-z-]+[a-z])(?=[@ \n'`])", "\n".join(SHELL)))
    assert {"shotline-hub", "shotline-action-server"} <= named
    assert named <= units
    etc = set(re.findall(r"(?<![/\w])etc/[\w./@-]+\w", DOCUMENT))
    etc |= {f"etc/{one}" for one in re.findall(r"-m 644 ([\w./]+\.(?:conf|rules))", DOCUMENT)}
    assert len(etc) >= 6
    for name in etc:
        assert (ROOT / name).exists(), name


def test_the_document_names_the_version_that_is_here() -> None:
    setup = (ROOT / "src" / "shotline" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'__version__ = "(.*)"', setup)
    assert set(re.findall(r"/opt/shotline-([0-9.]+[0-9])", DOCUMENT)) == {version}


# Several hosts


class Host:
    """A network namespace, kept by a process of its own."""

    def __init__(self) -> None:
        self.keeper = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == b"up\n"
        self._running: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs another on this host."""
        return ["nsenter", "-t", str(self.keeper.pid), "-n", "--", *map(str, words)]

    def run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=DEADLINE_S
        )

    def start(self, log: Path, *words: str) -> None:
        """Start a daemon here; it ends with the host."""
        with log.open("wb") as said:
            self._running.append(
                subprocess.Popen(
                    self.command(*words), stderr=said, env=interpreter.environment(os.environ)
                )
            )

    def close(self) -> None:
        for process in (*reversed(self._running), self.keeper):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.communicate()


def can_make_hosts() -> bool:
    """Return whether this user may make network namespaces, and has what it takes."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with a cable between them: 10.0.0.1 and 10.0.0.2."""
    if not can_make_hosts():
        pytest.skip("only root may make network namespaces")
    with contextlib.ExitStack() as stack:
        pair = Host(), Host()
        for host in pair:
            stack.callback(host.close)
        one, two = pair
        peer = str(two.keeper.pid)
        made = one.run("ip", "link", "add", "cable", "type", "veth", "peer", "cable", "netns", peer)
        assert made.returncode == 0, made.stderr
        for number, host in enumerate(pair, 1):
            assert (
                host.run("ip", "addr", "add", f"10.0.0.{number}/24", "dev", "cable").returncode == 0
            )
            assert host.run("ip", "link", "set", "cable", "up").returncode == 0
        yield pair


def test_a_server_of_another_host_runs_actions_and_the_doctor_sees_it(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    control, other = hosts
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    several = yaml.safe_load(CONFIGURATIONS[1].replace("control.example", "10.0.0.1"))
    several["data_folder"] = str(tmp_path / "var")
    several["redis"] = {"url": None}
    several["up"] = {"daemons": ["broker", "dispatcher"]}
    several["experiments"] = {
        "TEST": {"source": {"kind": "file", "file": str(tmp_path / "experiment.yaml")}}
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(several))
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(yaml.safe_dump(several | {"data_folder": str(tmp_path / "other")}))
    carried = tmp_path / "other" / "keys"
    carried.mkdir(mode=0o700, parents=True)

    def cli(host: Host, *words: str) -> "subprocess.CompletedProcess[str]":
        file = config if host is control else elsewhere
        return host.run(sys.executable, "-m", "shotline.client.cli", "--config", file, *words)

    control.start(
        tmp_path / "up.log",
        *interpreter.python("shotline.client.cli", "--config", str(config), "up"),
    )
    eventually(lambda: cli(control, "status").returncode == 0, (tmp_path / "up.log").read_text)
    nobody = cli(other, "status")
    assert nobody.returncode == 1
    assert "this program needs a key (keys.required)" in nobody.stderr
    unsafe = other.run(
        *(sys.executable, "-m", "shotline.client.cli", "--broker", "tcp://10.0.0.1:5570", "status")
    )
    assert unsafe.returncode == 3
    assert "asks for a key" in unsafe.stderr
    made = cli(control, "keys", "new", "A:1", "--role", "server", "--classes", "A")
    assert made.returncode == 0, made.stderr
    for name in ("A:1", "operator"):
        file = carried / f"{name}.key"
        written = cli(control, "keys", "bundle", name, str(file))
        assert written.returncode == 0, written.stderr
        assert file.stat().st_mode & 0o777 == 0o600
    other.start(
        tmp_path / "server.log",
        *interpreter.python("shotline.action_server", "A", "1", "--config", str(elsewhere)),
    )
    eventually(
        lambda: "✓  A:1" in cli(other, "status").stdout,
        lambda: (tmp_path / "up.log").read_text() + (tmp_path / "server.log").read_text(),
    )
    for words in (
        ("create-pulse", "TEST", "1"),
        ("build-tables", "TEST", "1"),
        ("do-phase", "TEST", "1", "INIT", "--wait"),
    ):
        done = cli(other, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "hello" in cli(control, "logs", "HERE").stdout
    for host in hosts:
        found = json.loads(cli(host, "doctor", "--json").stdout)["findings"]
        assert [one for one in found if one["level"] == "problem"] == []
        assert any("1 are alive" in one["text"] for one in found)
    redis = [one for one in found if one["subject"] == "redis"]
    assert [one["level"] for one in redis] == ["warning"]  # the other host need not reach it
