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
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import redis
import zmq

from bench.experiments import OUTPUT_PATH, PHASE, SERVER_CLASS, write_experiment
from bench.workloads import SERVERS, SLOTS, WARM_UP, Sizes, Workload
from shotline.client.errors import SupervisorError
from shotline.client.supervisor import Supervisor
from shotline.common.codec import decode
from shotline.common.messages import Event
from shotline.common.views import OutputEvent

START_WITHIN_S: Final = 60.0
END_WITHIN_S: Final = 20.0
SILENCE_MS: Final = 60_000
SHOTS_LOADED_MAX: Final = 6  # one of each workload, and one that is just being made

_ROOT: Final = Path(__file__).resolve().parent.parent


class Shotline:
    """Running daemons and a supervisor.

    `table_s` is how long the last build of W2's table took; `profile` is a file for the dispatcher's
    cProfile data, written when it ends.
    """

    def __init__(
        self, sizes: Sizes, redis_url: str, folder: Path, profile: Path | None = None
    ) -> None:
        self.table_s: float | None = None
        self._sizes = sizes
        self._folder = folder
        self._profile = profile
        self._redis = redis.Redis.from_url(redis_url)
        self._ports = dict(zip(("clients", "servers", "events"), _free_ports(3), strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._shots: dict[Workload, int] = {}
        self._config = folder / "config.yaml"
        for workload in Workload:
            write_experiment(workload, sizes, folder)
        self._config.write_text(json.dumps(self._configuration(redis_url)), encoding="utf-8")
        self._supervisor = Supervisor(self._address("clients"))
        self._observer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._observer.set_hwm(0)
        self._observer.setsockopt(zmq.LINGER, 0)
        self._observer.setsockopt(zmq.RCVTIMEO, SILENCE_MS)

    def __enter__(self) -> Self:
        self._start("broker")
        self._start("dispatcher")
        for number in range(1, SERVERS + 1):
            self._start("action_server", SERVER_CLASS, str(number), self._address("servers"))
        self._await_servers()
        self._observer.connect(self._address("events"))
        self._observer.subscribe(b"feed")
        self.prepare(Workload.W1)
        for _ in range(WARM_UP):
            self.run(Workload.W1)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._observer.close()
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
        self._supervisor.build_tables(workload.value, shot)
        if workload is Workload.W2:
            self.table_s = time.perf_counter() - begin
        if workload is Workload.W5:
            self._observer.subscribe(f"output/{workload}/{shot}/{OUTPUT_PATH}".encode())
            self._await_feed()

    def run(self, workload: Workload) -> None:
        """Do the phase of the workload's last shot."""
        shot = self._shots[workload]
        if workload is Workload.W5:
            self._run_and_observe(shot)
            return
        report = self._supervisor.do_phase(workload.value, shot, PHASE)
        if not report.ok:
            raise RuntimeError(f"{workload}: {len(report.failed)} actions failed")

    def dispatcher_bytes(self) -> int:
        """Return the dispatcher's resident memory."""
        return int(psutil.Process(self._processes["dispatcher"].pid).memory_info().rss)

    def _run_and_observe(self, shot: int) -> None:
        self._supervisor.do_phase(Workload.W5.value, shot, PHASE, wait=False)
        seen = 0
        while seen < self._sizes.lines:
            for event in self._events():
                output = OutputEvent.model_validate_json(event.payload)
                seen += sum(text.count("\n") + 1 for _, _, text in output.pieces)
        stored = self._stored_lines(shot)
        if seen != self._sizes.lines or stored != self._sizes.lines:
            raise RuntimeError(f"{self._sizes.lines} lines: {seen} seen, {stored} stored")
        self._supervisor.wait(Workload.W5.value, shot)

    def _stored_lines(self, shot: int) -> int:
        raise NotImplementedError

    def _await_feed(self) -> None:
        """Wait for a beat: all that was subscribed before it is in force."""
        while not any(event.channel == "feed" for event in self._events()):
            pass

    def _events(self) -> list[Event]:
        channel, body = self._observer.recv_multipart()
        return [event for event in decode([b"event", body]) if isinstance(event, Event)]

    def _await_servers(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended at once; see {self._folder / name}.log")
            try:
                alive = [
                    server
                    for server in self._supervisor.servers().servers
                    if server.liveness == "alive"
                ]
                if len(alive) == SERVERS:
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
            "PYTHONPATH": str(_ROOT),  # bench.tasks, for the workers
        }
        if program == "dispatcher" and self._profile is not None:
            environment["SHOTLINE_PROFILE"] = str(self._profile)
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
