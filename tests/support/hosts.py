"""Two hosts: network namespaces of their own, with a cable between them, and Shotline on both.

The control host has all but the server A:1, which the other has, with keys carried over.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil
import pytest
import yaml
from tests.support.stack import DEADLINE_S, eventually

from shotline.common.process import interpreter

CONTROL: Final = "10.0.0.1"
CABLE: Final = "cable"


class Host:
    """A network namespace, kept by a process of its own.

    With `own_processes` none of other hosts is seen there, and none outlives it.
    """

    def __init__(self, *, own_processes: bool = False) -> None:
        alone = ["--pid", "--fork", "--kill-child", "--mount-proc"] if own_processes else []
        self.keeper = subprocess.Popen(
            ["unshare", "-n", *alone, "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == b"up\n"
        self._running: list[subprocess.Popen[bytes]] = []
        inside = self.keeper.pid
        if own_processes:
            (child,) = psutil.Process(self.keeper.pid).children()
            inside = child.pid
        self._enter = ["nsenter", "-t", str(inside), "-n", *(["-p", "-m"] if own_processes else [])]

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs another on this host."""
        return [*self._enter, "--", *map(str, words)]

    def run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command here to its end."""
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

    def plug(self) -> None:
        """Plug the cable in."""
        assert self.run("ip", "link", "set", CABLE, "up").returncode == 0

    def unplug(self) -> None:
        """Pull the cable out: nothing comes through any more, and nobody is told."""
        assert self.run("ip", "link", "set", CABLE, "down").returncode == 0

    def close(self) -> None:
        """End all that runs here, and the host."""
        for process in reversed(self._running):
            process.terminate()
            _wait_for(process)
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()
        _wait_for(self.keeper)
        assert self.keeper.stdout is not None
        self.keeper.stdout.close()


def _wait_for(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()
    process.wait()


def can_make_hosts() -> bool:
    """Return whether this user may make network namespaces, and has what it takes."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0


@contextlib.contextmanager
def two_hosts(*, own_processes: bool = False) -> Iterator[tuple[Host, Host]]:
    """Give two hosts with a cable between them: 10.0.0.1 and 10.0.0.2."""
    if not can_make_hosts():
        pytest.skip("only root may make network namespaces")
    with contextlib.ExitStack() as stack:
        pair = Host(own_processes=own_processes), Host(own_processes=own_processes)
        for host in pair:
            stack.callback(host.close)
        one, two = pair
        peer = str(two.keeper.pid)
        cable = ["ip", "link", "add", CABLE, "type", "veth", "peer", CABLE, "netns", peer]
        # With the processes of this machine, among which the peer is known.
        subprocess.run(["nsenter", "-t", str(one.keeper.pid), "-n", "--", *cable], check=True)
        for number, host in enumerate(pair, 1):
            assert (
                host.run("ip", "addr", "add", f"10.0.0.{number}/24", "dev", CABLE).returncode == 0
            )
            host.plug()
        yield pair


class TwoHosts:
    """Shotline on two hosts. `several`: the configuration for several hosts, of which the control
    host has an address of its own here; `more`: what else it says.
    """

    def __init__(
        self,
        hosts: tuple[Host, Host],
        folder: Path,
        several: Mapping[str, object],
        experiment: str,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.control, self.other = hosts
        self._log = folder / "up.log"
        self._server_log = folder / "server.log"
        (folder / "experiment.yaml").write_text(experiment)
        source = {"kind": "file", "file": str(folder / "experiment.yaml")}
        whole = {
            **several,
            "data_folder": str(folder / "var"),
            "redis": {"url": None},
            "up": {"daemons": ["broker", "dispatcher"]},
            "experiments": {"TEST": {"source": source}},
            **(more or {}),
        }
        self._config = folder / "config.yaml"
        self._config.write_text(yaml.safe_dump(whole))
        self._elsewhere = folder / "elsewhere.yaml"
        self._elsewhere.write_text(yaml.safe_dump(whole | {"data_folder": str(folder / "other")}))
        self._carried = folder / "other" / "keys"
        self._carried.mkdir(mode=0o700, parents=True)

    def cli(self, host: Host, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of `shotline` on a host, as it is configured there."""
        file = self._config if host is self.control else self._elsewhere
        return host.run(sys.executable, "-m", "shotline.client.cli", "--config", file, *words)

    def good(self, host: Host, *words: str) -> str:
        """Return what a command prints that succeeds."""
        done = self.cli(host, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Start everything but the server."""
        words = interpreter.python("shotline.client.cli", "--config", str(self._config), "up")
        self.control.start(self._log, *words)
        eventually(lambda: self.cli(self.control, "status").returncode == 0, self.said)

    def carry_keys(self) -> None:
        """Make keys for the server and an operator, and carry them to the other host."""
        self.good(self.control, "keys", "new", "A:1", "--role", "server", "--classes", "A")
        for name in ("A:1", "operator"):
            file = self._carried / f"{name}.key"
            self.good(self.control, "keys", "bundle", name, str(file))
            assert file.stat().st_mode & 0o777 == 0o600

    def start_server(self) -> None:
        """Start the server on the other host."""
        words = interpreter.python("shotline.action_server", "A", "1")
        self.other.start(self._server_log, *words, "--config", str(self._elsewhere))
        eventually(lambda: "✓  A:1" in self.cli(self.other, "status").stdout, self.said)

    def said(self) -> str:
        """Return what all have said."""
        logs = [file for file in (self._log, self._server_log) if file.exists()]
        return "\n".join(file.read_text() for file in logs)
