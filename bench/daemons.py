"""The real daemons under measurement, as a site has them: configured in YAML, everything on.

Only addresses, folders, experiments and what a workload names are the benchmark's. A `Form` says
which programs do the work of broker and dispatcher.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from bench.machine import Groups, children
from bench.programs import ANSWER_WITHIN_S, ROOT
from bench.workloads import SERVERS, SLOTS, WARM_UP
from shotline.client.errors import SupervisorError
from shotline.client.local.daemons import Daemon, Daemons
from shotline.client.local.keys import make_keys
from shotline.client.local.ports import free_ports
from shotline.client.supervisor import Supervisor
from shotline.common.keys.folder import own_key
from shotline.common.process.service import PROFILE_VARIABLE
from shotline.common.settings.config import Config, load_config
from shotline.common.settings.sections.up import UpSection

PHASE: Final = "PULSE"
SERVER_CLASS: Final = "BENCH"
WARM: Final = "WARM"
START_WITHIN_S: Final = 60.0

Entry = dict[str, object]
"""An action of an experiment file."""
Settings = Mapping[str, Mapping[str, object]]


class Form(StrEnum):
    """How broker and dispatcher run."""

    APART = "apart"  # a process each
    HUB = "hub"  # in one process
    KEYS = "keys"  # in one process, which all others reach by CURVE


PROGRAMS: Final[Mapping[Form, tuple[str, ...]]] = {
    Form.APART: ("broker", "dispatcher"),
    Form.HUB: ("hub",),
    Form.KEYS: ("hub",),
}
USUAL: Final = (Form.APART, Form.HUB)
"""What is measured where nobody names forms."""


def is_there(form: Form) -> bool:
    """Return whether this Shotline has the programs of a form."""
    return all(find_spec(f"shotline.{name}") is not None for name in PROGRAMS[form])


def usual_form() -> Form:
    """Return the form that `shotline up` has where nobody says otherwise."""
    daemons = UpSection().daemons
    return next(form for form in USUAL if set(PROGRAMS[form]) <= set(daemons))


class Site:
    """Running daemons and a supervisor; all are ended at the end of the `with` block.

    `experiments`: entries by tree. `redis_url` None: with a Redis server of its own. `servers` of
    SLOTS slots each. `processes`: by what they do; the hub is broker and dispatcher.
    `profiles` names files for the cProfile data of daemons, by their names.
    """

    def __init__(
        self,
        folder: Path,
        form: Form,
        experiments: Mapping[str, Sequence[Entry]],
        *,
        redis_url: str | None = None,
        servers: int = SERVERS,
        settings: Settings | None = None,
        profiles: Mapping[str, Path] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.form = form
        self._redis_url = redis_url
        all_of_them = {**experiments, WARM: [action("ONE", 1)]}
        self.experiments = {tree: folder / f"{tree.lower()}.yaml" for tree in all_of_them}
        for tree, entries in all_of_them.items():
            _write_experiment(self.experiments[tree], tree, entries)
        self.config_file = folder / "config.yaml"
        usual = _configuration(form, self.experiments, redis_url, servers)
        write_configuration(self.config_file, usual, settings or {})
        self.config: Config = load_config(self.config_file, environment={})
        self._daemons = Daemons(self.config, self.config_file)
        self.processes = {one.name: one for one in self._daemons.central}
        if form is not Form.APART:
            self.processes |= dict.fromkeys(PROGRAMS[Form.APART], self.processes["hub"])
        self._profiles = profiles or {}
        if form is Form.KEYS:
            make_keys(self._daemons, lambda _: None)
        self.supervisor = Supervisor(
            self.config.broker.clients,
            key=own_key(self.config.keys, "operator"),
            timeout_s=ANSWER_WITHIN_S,
        )

    @property
    def dispatcher_pid(self) -> int:
        """The process that decides: the dispatcher, or the hub."""
        return _pid(self.processes["dispatcher"])

    def groups(self) -> Groups:
        """Return all processes by what they are; this one is the client."""
        central = {one.name: [_pid(one)] for one in self._daemons.central}
        servers = [_pid(one) for one in self._daemons.servers]
        return {
            **central,
            "action servers": servers,
            "workers": [pid for server in servers for pid in children(server)],
            "Redis": [self._redis_pid()],
            "client": [os.getpid()],
        }

    def warm_up(self) -> None:
        """Do a small shot, so that what is made once is made."""
        self.build(WARM, 1)
        for _ in range(WARM_UP if self._daemons.servers else 0):
            self.do_phase(WARM, 1)

    def do_phase(self, tree: str, shot: int) -> None:
        """Do the phase of a shot whose table is built. Raise RuntimeError where an action fails."""
        report = self.supervisor.do_phase(PHASE, tree, shot)
        if not report.ok:
            raise RuntimeError(f"{tree}/{shot}: {len(report.failed)} actions failed")

    def build(self, tree: str, shot: int) -> float:
        """Make a new shot and its table; return how long the table took, in seconds."""
        self.supervisor.create_pulse(tree, shot)
        begin = time.perf_counter()
        self.supervisor.build_tables(tree, shot, list_actions=False)
        return time.perf_counter() - begin

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            for daemon in self._daemons.all:
                print(f"--- {daemon.name}\n{daemon.last_lines(40)}")
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        if self._daemons.redis is not None:
            self._daemons.redis.start()
        for daemon in self._daemons.all:
            start(daemon, self._profiles.get(daemon.name))
        deadline = time.monotonic() + START_WITHIN_S
        while not self._all_there():
            if time.monotonic() > deadline:
                raise RuntimeError("the daemons did not come up")
            time.sleep(0.05)

    def _all_there(self) -> bool:
        try:
            status = self.supervisor.status()
        except SupervisorError:
            return False
        alive = [server for server in status.servers if server.liveness == "alive"]
        return len(alive) == len(self._daemons.servers) and not status.recovering

    def _end(self) -> None:
        self.supervisor.close()
        self._daemons.stop(lambda _: None)

    def _redis_pid(self) -> int:
        own = self._daemons.redis
        with own.client() if own else redis.Redis.from_url(self._redis_url or "") as client:
            return int(client.info("server")["process_id"])


def start(daemon: Daemon, profile: Path | None = None) -> float:
    """Start a daemon; return after how many seconds it is ready."""
    if profile is not None:
        os.environ[PROFILE_VARIABLE] = str(profile)
    begin = time.perf_counter()
    try:
        daemon.start()
        daemon.wait_ready(time.monotonic() + START_WITHIN_S)
    finally:
        os.environ.pop(PROFILE_VARIABLE, None)
    return time.perf_counter() - begin


def action(path: str, when: int | str, task: str = "nothing", **arguments: object) -> Entry:
    """Return an action that calls a function of `bench.tasks`."""
    called: Entry = {"python": f"bench.tasks:{task}"}
    return {
        "path": path,
        "server_class": SERVER_CLASS,
        "phase": PHASE,
        "when": when,
        "task": called | ({"arguments": arguments} if arguments else {}),
        "timeout_s": 60.0,
    }


def addresses() -> dict[str, dict[str, object]]:
    """Return the sections with addresses: all of this machine, on ports that are free."""
    clients, servers, events, redis_port, monitor = free_ports(5)
    return {
        "broker": {
            "clients": f"tcp://127.0.0.1:{clients}",
            "servers": f"tcp://127.0.0.1:{servers}",
            "events": f"tcp://127.0.0.1:{events}",
        },
        "redis": {"port": redis_port},
        "monitor": {"port": monitor},
    }


def write_configuration(file: Path, usual: Settings, settings: Settings) -> None:
    """Write a configuration: the usual sections with what `settings` says of them."""
    content: dict[str, object] = {"data_folder": str(file.parent / "data")}
    for name in {**usual, **settings}:
        content[name] = {**usual.get(name, {}), **settings.get(name, {})}
    # JSON is YAML, and a file that a program wrote needs none of the rest of YAML.
    file.touch(mode=0o600)  # an url may have a password
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _configuration(
    form: Form, experiments: Mapping[str, Path], redis_url: str | None, servers: int
) -> Settings:
    places = addresses()
    names = [{"class": SERVER_CLASS, "id": str(number + 1)} for number in range(servers)]
    return {
        **places,
        "redis": {"url": redis_url, **places["redis"]},
        "dispatcher": {"recovery_s": 0.1},
        "action_server": {"slots": SLOTS, "task_path": [str(ROOT)]},
        "experiments": {
            tree: {"source": {"kind": "file", "file": file.name, "pulses": None}}
            for tree, file in experiments.items()
        },
        "up": {"daemons": list(PROGRAMS[form]), "servers": names},
    }


def _write_experiment(file: Path, tree: str, entries: Sequence[Entry]) -> None:
    content = {"experiment": tree, "phases": {PHASE: 1}, "actions": entries}
    file.write_text(json.dumps(content), encoding="utf-8")


def _pid(daemon: Daemon) -> int:
    if daemon.pid is None:
        raise RuntimeError(f"{daemon.name} has ended:\n{daemon.last_lines()}")
    return daemon.pid
