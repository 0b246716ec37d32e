"""Shotline under measurement: the real daemons, with everything on, and a supervisor.

The daemons have their ordinary configuration (heartbeats, journal, event feed, output bounds); only
addresses, folders, slots and the number of shots held in memory are the benchmark's. Workloads are
experiments (`experiments`); each is built before the clock starts and run by `do_phase`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
import redis

from bench.experiments import OUTPUT_PATH, PHASE, SERVER_CLASS, write_experiment
from bench.workloads import SERVERS, SLOTS, WARM_UP, Measured, Sizes, Workload
from shotline.client.connection import EventStream
from shotline.client.errors import SupervisorError
from shotline.client.observer import News, Whole
from shotline.client.supervisor import Supervisor
from shotline.common.channels import output_channel
from shotline.common.records import ShotKey
from shotline.common.sections import RedisSection
from shotline.common.views import OutputEvent
from shotline.dispatcher.journal.layout import Keys, attempt_name

START_WITHIN_S: Final = 60.0
END_WITHIN_S: Final = 20.0
SILENCE_S: Final = 60.0
SHOTS_LOADED_MAX: Final = 2  # one that is run, and one that is just being made

DAEMONS: Final = ("broker", "dispatcher", "action_server")  # the first server of two

_ROOT: Final = Path(__file__).resolve().parent.parent


class Shotline(Measured):
    """Running daemons and a supervisor.

    `table_s` is how long the last build of W2's table took; `profiles` names
    a file for the cProfile data of a daemon, written when it ends, by the names in `DAEMONS`.
    """

    def __init__(
        self,
        sizes: Sizes,
        redis_url: str,
        folder: Path,
        profiles: Mapping[str, Path] | None = None,
    ) -> None:
        self.table_s: float | None = None
        self._sizes = sizes
        self._folder = folder
        self._profiles = profiles or {}
        self._redis = redis.Redis.from_url(redis_url)
        self._ports = dict(zip(("clients", "servers", "events"), _free_ports(3), strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._shots: dict[Workload, int] = {}
        self._config = folder / "config.yaml"
        for workload in Workload:
            write_experiment(workload, sizes, folder)
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(self._configuration(redis_url)), encoding="utf-8")
        self._supervisor = Supervisor(self._address("clients"))
        self._observer: EventStream | None = None

    def _bring_up(self) -> None:
        self._start("broker")
        self._start("dispatcher")
        for number in range(1, SERVERS + 1):
            self._start("action_server", SERVER_CLASS, str(number), self._address("servers"))
        self._await_daemons()
        self.prepare(Workload.W1)
        for _ in range(WARM_UP):
            self.run(Workload.W1)

    def _end(self) -> None:
        self._supervisor.close()
        self._redis.close()
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def prepare(self, workload: Workload) -> None:
        """Make a new shot of the workload and build its table."""
        shot = self._shots.get(workload, 0) + 1
        self._shots[workload] = shot
        self._supervisor.create_pulse(workload.value, shot)
        begin = time.perf_counter()
        self._supervisor.build_tables(workload.value, shot, list_actions=False)
        if workload is Workload.W2:
            self.table_s = time.perf_counter() - begin
        if workload is Workload.W5:
            if self._observer is not None:
                self._observer.close()
            self._observer = self._observe(shot)

    def run(self, workload: Workload) -> None:
        """Do the phase of the workload's last shot."""
        shot = self._shots[workload]
        if workload is Workload.W5:
            self._run_and_observe(shot)
            return
        report = self._supervisor.do_phase(PHASE, workload.value, shot)
        if not report.ok:
            raise RuntimeError(f"{workload}: {len(report.failed)} actions failed")

    def dispatcher_bytes(self) -> int:
        """Return the dispatcher's resident memory."""
        return int(psutil.Process(self._processes["dispatcher"].pid).memory_info().rss)

    def _run_and_observe(self, shot: int) -> None:
        observer = self._observer
        assert observer is not None
        self._supervisor.do_phase(PHASE, Workload.W5.value, shot, wait=False)
        seen = 0
        while seen < self._sizes.lines:
            update = observer.get(SILENCE_S)
            if not isinstance(update, News):
                raise RuntimeError(f"{seen} of {self._sizes.lines} lines seen, then {update}")
            if isinstance(update.payload, OutputEvent):
                seen += sum(text.count("\n") + 1 for _, _, text in update.payload.pieces)
        stored = self._redis.hget(
            Keys(RedisSection().key_prefix).of(ShotKey(Workload.W5.value, shot)).outputs,
            attempt_name(OUTPUT_PATH, 1),
        )
        if seen != self._sizes.lines or stored is None or int(stored) != self._sizes.lines:
            raise RuntimeError(f"{self._sizes.lines} lines: {seen} seen, {stored!r} stored")

    def _observe(self, shot: int) -> EventStream:
        """Return an observer that has what there is so far: nothing."""
        observer = self._supervisor.events(
            output_channel(ShotKey(Workload.W5.value, shot), OUTPUT_PATH)
        )
        first = observer.get(SILENCE_S)
        if not isinstance(first, Whole):
            raise RuntimeError(f"the observer began with {first} and not with the whole state")
        return observer

    def _await_daemons(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended at once; see {self._folder / name}.log")
            try:
                status = self._supervisor.status()
                alive = [server for server in status.servers if server.liveness == "alive"]
                if len(alive) == SERVERS and not status.recovering:
                    return
            except SupervisorError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"the daemons did not come up; see {self._folder}/*.log")
            time.sleep(0.1)

    def _start(self, program: str, *arguments: str) -> None:
        name = program if program not in self._processes else f"{program}_{len(self._processes)}"
        environment = os.environ | {
            "SHOTLINE_CONFIG": str(self._config),
            "PYTHONPATH": f"{_ROOT}:{_ROOT / 'src'}",  # this checkout, and bench.tasks
        }
        if name in self._profiles:
            environment["SHOTLINE_PROFILE"] = str(self._profiles[name])
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"shotline.{program}", *arguments],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _address(self, socket_name: str) -> str:
        return f"tcp://127.0.0.1:{self._ports[socket_name]}"

    def _configuration(self, redis_url: str) -> dict[str, object]:
        return {
            "data_folder": str(self._folder / "data"),
            "broker": {name: self._address(name) for name in self._ports},
            "redis": {"url": redis_url},
            "dispatcher": {"shots_loaded_max": SHOTS_LOADED_MAX, "recovery_s": 0.1},
            "action_server": {"slots": SLOTS},
            "experiments": {
                workload.value: {
                    "source": {"kind": "file", "file": f"{workload.lower()}.yaml", "pulses": None}
                }
                for workload in Workload
            },
        }


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
