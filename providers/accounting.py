"""What Slurm says of jobs, and what of it is proof that nothing of a job runs any more (P3). Pure.

A state alone is none. A controller that cannot reach a node calls a job there CANCELLED or TIMEOUT
as soon as it has given the node up, while the job's processes may run on; its exit code then stays
0:0. Where the node has ended them it has told how: 0:15. And a job that was started more than once
has a state for the last time only.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from shotline.common.base import Value
from shotline.common.pilots import PILOT, PilotState
from shotline.providers.events import Job

LISTING: Final = "%i|%T|%j|%k|%r"
"""The format of `squeue`: number, state, name, comment, reason."""

SACCT_FIELDS: Final = "State,ExitCode,NodeList,Restarts,Start"

_WAITS: Final = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
)
_RUNS: Final = frozenset(
    {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
)
_TOLD_BY_NODE: Final = frozenset({"COMPLETED", "FAILED"})
_BY_CONTROLLER: Final = frozenset({"CANCELLED", "TIMEOUT"})
_NO_NODES: Final = frozenset({"", "(null)", "None assigned"})
_FIELD: Final = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z0-9/:_]*)=([^\s=]*)(?=\s|$)")


class Row(Value):
    """A job of ours as `squeue` lists it."""

    job: str
    state: str
    server: str
    token: str
    is_kept: bool
    reason: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended; one that the node still clears up after has not."""
        return self.state not in _WAITS and self.state not in _RUNS

    def as_job(self, fields: Mapping[str, str] | None = None) -> Job:
        """Return what is said of it; `fields`: the job's record, of one that is over."""
        proof = ""
        reason = "" if self.reason in ("None", "n/a") else self.reason
        state = PilotState.QUEUED if self.state in _WAITS else PilotState.STARTING
        if self.is_over:
            state = PilotState.ENDED
            proof = "" if fields is None else proof_of(self.job, fields)
            code = "" if fields is None else fields.get("ExitCode", "")
            reason = " ".join(filter(None, (self.state, reason, code and f"exit code {code}")))
        elif self.state not in ("PENDING", "RUNNING"):
            reason = " ".join(filter(None, (self.state, reason)))
        started_at = None if fields is None else _seconds(fields.get("StartTime", ""))
        return Job(
            self.server, self.token, self.job, state, reason, proof, started_at, self.is_kept
        )


def job_name(prefix: str, server: str) -> str:
    """Return the name of the job of a pilot CLASS:ID; Slurm runs one of a name at a time."""
    return f"{prefix}-{server.replace(':', '-')}"


def comment(server: str, token: str, *, is_kept: bool) -> str:
    """Return the comment by which a job is known again."""
    return f"{server} {token}{' kept' if is_kept else ''}"


def rows_of(text: str, prefix: str) -> list[Row]:
    """Return our jobs of a listing; those of others, and what is no job, are left out."""
    found = []
    for line in text.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) != 5:
            continue
        job, state, name, said, reason = fields
        server, _, rest = said.partition(" ")
        token, _, kept = rest.partition(" ")
        if ":" in server and name == job_name(prefix, server) and PILOT.fullmatch(token):
            found.append(Row(job, state, server, token, kept == "kept", reason))
    return found


def fields_of(text: str) -> dict[str, str]:
    """Return the fields of what `scontrol show job -o` says; values with blanks are left out."""
    return dict(_FIELD.findall(text.strip()))


def fields_of_sacct(text: str) -> dict[str, str] | None:
    """Return the same of `sacct -n -P -X -D`; None where it knows nothing, or of several starts."""
    lines = [line.split("|") for line in text.splitlines() if line.count("|") == 4]
    if len(lines) != 1:
        return None
    state, code, nodes, restarts, start = lines[0]
    return {
        "JobState": state.split(" ", 1)[0],
        "ExitCode": code,
        "NodeList": nodes,
        "Restarts": restarts or "0",
        "StartTime": start,
    }


def _seconds(text: str) -> float | None:
    """Return a time of Slurm's, which is that of this machine's zone; None where there is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def proof_of(job: str, fields: Mapping[str, str]) -> str:
    """Return in words how a job's record proves that nothing of it runs; "" where it does not."""
    state, code = fields.get("JobState", ""), fields.get("ExitCode", "")
    if state not in _TOLD_BY_NODE | _BY_CONTROLLER or fields.get("Restarts") != "0":
        return ""
    said = f"Slurm's job {job} is {state}"
    if fields.get("NodeList", "?") in _NO_NODES:
        return f"{said} and was never started" if state in _BY_CONTROLLER else ""
    if state in _BY_CONTROLLER and code in ("", "0:0"):
        return ""
    return f"{said}, exit code {code}"
