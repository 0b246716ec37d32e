"""What the doctor sees of servers on demand: the engine's commands here, and what is configured."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.common.settings.config import Config

COMMANDS: Final = ("sbatch", "squeue", "scancel", "scontrol")
"""What the provider runs of Slurm; `sacct` only where there is one."""

_ASK_S: Final = 10.0


def providers(config: Config) -> Iterator[Finding]:
    """Look whether servers could be started on demand from this machine."""
    section = config.providers
    by_slurm = [name for name, one in section.classes.items() if one.provider == "slurm"]
    if by_slurm:
        yield _slurm(", ".join(by_slurm))
    # Who is lost for want of work at the first shot after a quiet night should know why.
    for name, one in section.classes.items():
        if one.start_wait_s <= one.start_after_s:
            text = f"actions of class {name} are given up before a server is asked for"
            yield problem("providers", text, "make start_wait_s longer than start_after_s")


def _slurm(classes: str) -> Finding:
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        text = f"servers of {classes} are jobs of Slurm, and this machine has no {missing[0]}"
        return warning("providers", text, "run shotline-provider where Slurm's commands are")
    try:
        done = subprocess.run(
            ["squeue", "--noheader", "--me"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return problem("providers", "Slurm does not answer squeue", "see slurmctld and the network")
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        return problem(
            "providers", f"Slurm does not answer: {said}", "see slurmctld, and munge here"
        )
    return fine("providers", f"Slurm answers; servers of {classes} can be asked for")
