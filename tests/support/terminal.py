"""A terminal on a host of the tests: a shell that keeps its folder and variables."""

import contextlib
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import psutil
from tests.support.hosts import Host
from tests.support.stack import eventually


class Terminal:
    """A shell on `host`, which begins in `folder`; its programs are those of this environment."""

    def __init__(self, host: Host, folder: Path, bin_folder: Path, first: str = "") -> None:
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        self._folder = folder
        self._end = uuid.uuid4().hex
        self._kept: list[subprocess.Popen[bytes]] = []
        self._host = host
        self._environment = {
            **kept,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "dumb",
            "COLUMNS": "160",
        }
        self._shell = subprocess.Popen(
            host.command("bash", "--noprofile", "--norc"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )
        said, code = self.run(f"cd '{folder}'\n{first}")
        assert code == 0, said

    def run(self, script: str) -> tuple[str, int]:
        """Run commands to their end; return what they have said, and the exit code."""
        file = self._folder / f".command-{self._end}"
        file.write_text(script + "\n", encoding="utf-8")
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f". '{file}' </dev/null; printf '\\n%s %s\\n' {self._end} $?\n")
        self._shell.stdin.flush()
        said: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(self._end):
                return "".join(said), int(line.split()[1])
            said.append(line)
        raise AssertionError(f"the shell has ended: {''.join(said)}")

    def stay(self, script: str, until: str) -> str:
        """Start commands that go on; return what they have said once `until` is in it."""
        log = self._folder / f".stays-{len(self._kept)}-{self._end}"
        where, _ = self.run("pwd; export -p | sed 's/^declare -x/export/' > .exported")
        folder = Path(where.strip())
        whole = f"cd '{folder}' && . ./.exported && exec {script}"
        with log.open("wb") as said:
            process = subprocess.Popen(
                self._host.command("bash", "-c", whole),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        self._kept.append(process)

        def has_said() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return until in log.read_text(encoding="utf-8")

        eventually(has_said, lambda: log.read_text(encoding="utf-8"))
        return log.read_text(encoding="utf-8")

    def close(self) -> None:
        """End what goes on here, in order, and the shell."""
        for process in reversed(self._kept):
            _end_inside(process)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        _end_inside(self._shell)
        assert self._shell.stdout is not None
        self._shell.stdout.close()


def _end_inside(process: "subprocess.Popen[Any]") -> None:
    """End what a process has entered the host with; it ends by itself then."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children():
            child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    process.kill()
    process.wait()
