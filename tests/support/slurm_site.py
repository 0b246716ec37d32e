"""A Slurm of one node on this machine: munged, slurmctld, slurmd, in the current network namespace.

It needs an interface beside lo and must not meet anybody else's Slurm: `make test-slurm` runs the
tests in a namespace of their own, where `give_network` makes one. Its times are short, so that a
controller gives a dead node up within seconds.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ADDRESS: Final = "10.77.0.1"
DEADLINE_S: Final = 60.0
PROGRAMS: Final = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
_SBIN: Final = "/usr/sbin:/usr/local/sbin"

_CONF: Final = """
ClusterName=shotline
SlurmctldHost={host}({address})
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort=6817
SlurmdPort=6818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=5
KillWait=2
MinJobAge=300
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,defer_batch
NodeName={host} NodeAddr={address} CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def is_alone() -> bool:
    """Return whether this is a network namespace without anything but lo, and what we gave it."""
    names = {name for _, name in socket.if_nameindex()}
    return names <= {"lo", "slurm0", "slurm1"}


def give_network() -> None:
    """Bring up lo, and a pair of interfaces with the address."""
    if "slurm0" in {name for _, name in socket.if_nameindex()}:
        return
    for command in (
        "link set lo up",
        "link add slurm0 type veth peer name slurm1",
        f"addr add {ADDRESS}/24 dev slurm0",
        "link set slurm0 up",
        "link set slurm1 up",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def until(holds: Callable[[], bool], what: str, limit_s: float = DEADLINE_S) -> None:
    """Return once it holds; fail after the deadline."""
    give_up_at = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < give_up_at, what
        time.sleep(0.1)


class SlurmSite:
    """The three daemons. `environment` is what its commands need."""

    def __init__(self, folder: Path, cpus: int = 4) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("state", "spool"):
            (folder / name).mkdir()
        self.conf = folder / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        self.conf.write_text(_CONF.format(host=host, address=ADDRESS, folder=folder, cpus=cpus))
        self.host = host
        path = f"{os.environ['PATH']}:{_SBIN}"
        self.environment = {"SLURM_CONF": str(self.conf), "PATH": path}
        missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
        assert not missing, f"not installed: {missing} (apt: slurmctld slurmd munge slurm-client)"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all three; return once the node takes jobs."""
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        files = ("key", "socket", "pid", "log", "seed")
        options = [
            f"--{name}-file={self.folder}/munge.{name}" for name in files if name != "socket"
        ]
        options.append(f"--socket={self.folder}/munge.socket")
        self._run("munged", "--foreground", "--force", *options)
        until((self.folder / "munge.socket").exists, "munged has made no socket")
        self.start_controller()
        self.start_node()
        until(lambda: "idle" in self.say("sinfo", "-h", "-o", "%T"), "the node is not idle")

    def start_controller(self) -> None:
        """Start slurmctld."""
        self._run("slurmctld", "-D", "-L", str(self.folder / "slurmctld.log"))

    def start_node(self) -> None:
        """Start slurmd."""
        self._run("slurmd", "-D", "-L", str(self.folder / "slurmd.log"), "-N", self.host)

    def kill(self, name: str) -> None:
        """KILL one of the daemons, and nothing that it has started."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def end_controller(self) -> None:
        """End slurmctld in order, so that it remembers all when it comes back."""
        process = self._processes.pop("slurmctld")
        process.terminate()
        process.wait(DEADLINE_S)

    def forget(self) -> None:
        """Let slurmctld die and begin anew with no memory of any job."""
        self.kill("slurmctld")
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()
        self.start_controller()

    def say(self, *arguments: str) -> str:
        """Return what a command of Slurm says; empty where it fails."""
        done = subprocess.run(
            arguments, env={**os.environ, **self.environment}, capture_output=True, text=True
        )
        return done.stdout.strip()

    def jobs(self) -> list[list[str]]:
        """Return number, state and name of all jobs that Slurm knows."""
        told = self.say("squeue", "-h", "-t", "all", "-o", "%i %T %j")
        return [line.split() for line in told.splitlines()]

    def states(self) -> list[str]:
        """Return the jobs' states."""
        return [state for _, state, _ in self.jobs()]

    def _run(self, *arguments: str) -> None:
        with (self.folder / f"{arguments[0]}.out").open("ab") as output:
            self._processes[arguments[0]] = subprocess.Popen(
                arguments,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def stop(self) -> None:
        """End all jobs and daemons."""
        if "slurmctld" in self._processes and "slurmd" in self._processes:
            self.say("scancel", "--user=root")
            self.say("scancel", "--user=root", "--signal=KILL", "--full")
            active = ("RUNNING", "COMPLETING", "PENDING")
            give_up_at = time.monotonic() + 10
            while time.monotonic() < give_up_at and set(active) & set(self.states()):
                time.sleep(0.2)
        for name in ("slurmd", "slurmctld", "munged"):
            process = self._processes.pop(name, None)
            if process is not None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
