"""What the start of our programs costs, beside that of the interpreter itself."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import yaml

from bench.daemons import PROGRAMS, Form, addresses, start
from bench.harness import Measurement, Round
from bench.programs import ROOT
from bench.results import Goal
from shotline.client.local.daemons import Daemons
from shotline.common.settings.config import load_config

_CLI: Final = ("-m", "shotline.client.cli")
_NOBODY: Final = {"SHOTLINE_BROKER": "tcp://127.0.0.1:9"}
PASS: Final = "python -c pass"
READY: Final = Goal(1000, of_value=True)
UP: Final = Goal(3000, of_value=True)


@dataclass(frozen=True, slots=True)
class Start:
    """A process to run to its end: its name, the interpreter's arguments, what it may take."""

    name: str
    arguments: Sequence[str]
    goal: Goal | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def _completing(line: str) -> Start:
    asked = {"_SHOTLINE_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_WORDBREAKS": " :="}
    return Start(f"{line.replace(' ', '␣')}<Tab>", _CLI, Goal(150, of_value=True), asked | _NOBODY)


STARTS: Final = (
    Start("shotline --help", (*_CLI, "--help"), Goal(150, of_value=True)),
    _completing("shotline do-p"),
    _completing("shotline logs --"),
    Start(
        "import shotline.client.supervisor",
        ("-c", "import shotline.client.supervisor"),
        Goal(100, of_value=True),
    ),
)


class Startup(Measurement):
    """Each in turns with the bare interpreter. Daemons are those of the configuration in etc/."""

    name: ClassVar = "startup"
    title: ClassVar = "starts"

    def measure(self, of: Round) -> None:
        """Start everything some times."""
        for start_of in STARTS:
            _took_s(start_of)  # what is compiled once, is compiled now
        for number in range(of.sizes.starts):
            for start_of in STARTS:
                _tell(of, start_of.name, "Shotline", _took_s(start_of), start_of.goal)
            for form in of.forms:
                file = _configuration(of.folder / f"{form}-{number}", form)
                for name, ready_s in _daemons(file):
                    _tell(of, f"{name} ready", form, ready_s, READY)
                _tell(of, "shotline up ready", form, _up_s(file), UP)


def _tell(of: Round, what: str, form: str, taken_s: float, goal: Goal | None) -> None:
    bare_ms = _took_s(Start(PASS, ("-c", "pass"))) * 1e3
    of.results.add(what, PASS, bare_ms, "ms")
    of.results.add(what, form, taken_s * 1e3, "ms", beside=(PASS, bare_ms), goal=goal)


def _took_s(one: Start) -> float:
    """Return how long a process takes from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, *one.arguments],
        env=os.environ | dict(one.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def _daemons(file: Path) -> Iterator[tuple[str, float]]:
    """Start each daemon, one of the servers, when those before it are ready; yield how long."""
    daemons = Daemons(load_config(file, environment={}), file)
    try:
        assert daemons.redis is not None
        daemons.redis.start()
        for daemon in daemons.central:
            yield daemon.name, start(daemon)
        yield "action server", start(daemons.servers[0])
    finally:
        daemons.stop(lambda _: None)


def _up_s(file: Path) -> float:
    """Return how long it takes until `shotline up` says that all are up."""
    begin = time.perf_counter()
    command = [sys.executable, *_CLI, "--config", str(file), "up"]
    with subprocess.Popen(command, cwd=file.parent, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "all are up" in line:
                    return time.perf_counter() - begin
            raise RuntimeError(f"`shotline up` ended:\n{''.join(said)}")
        finally:
            process.terminate()


def _configuration(folder: Path, form: Form) -> Path:
    """Write the configuration that is shipped, with free ports and folders of our own."""
    folder.mkdir()
    shipped = ROOT / "etc" / "config.yaml"
    content = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    content["data_folder"] = str(folder / "data")
    for section, places in addresses().items():
        content[section] |= places
    content["up"]["daemons"] = [*PROGRAMS[form], "monitor"]
    source = content["experiments"]["DEMO"]["source"]
    source["file"] = str(shipped.parent / source["file"])
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file
