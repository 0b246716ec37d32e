"""What Slurm's own words prove: records as Slurm 22.05 has written them here."""

from datetime import datetime

import pytest

from shotline.common.pilots import PilotState
from shotline.providers.accounting import (
    comment,
    fields_of,
    fields_of_sacct,
    job_name,
    proof_of,
    rows_of,
)

# `scontrol show job -o`, shortened; what is asked of it is as it was.
CANCELLED = (
    "JobId=1 JobName=a UserId=root(0) JobState=CANCELLED Reason=None Dependency=(null) Requeue=0 "
    "Restarts=0 BatchFlag=1 ExitCode=0:15 RunTime=00:00:00 Partition=p ReqNodeList=(null) "
    "ExcNodeList=(null) NodeList=vm BatchHost=vm Comment=x1 kept  StdErr=/dev/null Power= "
)
# slurmd was killed, then the job cancelled; its process ran on.
NODE_AWAY = CANCELLED.replace("ExitCode=0:15", "ExitCode=0:0")
NEVER_STARTED = (
    "JobId=4 JobState=CANCELLED Reason=JobHeldUser Restarts=0 ExitCode=0:0 "
    "StartTime=2026-11-29T12:36:27 NodeList= "
)
TIMED_OUT = "JobId=1 JobState=TIMEOUT Reason=TimeLimit Restarts=0 ExitCode=0:15 NodeList=vm"
FAILED = "JobId=3 JobState=FAILED Reason=NonZeroExitCode Restarts=0 ExitCode=1:0 NodeList=vm"
COMPLETED = "JobId=3 JobState=COMPLETED Reason=None Restarts=0 ExitCode=0:0 NodeList=vm"


@pytest.mark.parametrize(
    ("record", "proof"),
    [
        (CANCELLED, "Slurm's job 1 is CANCELLED, exit code 0:15"),
        (TIMED_OUT, "Slurm's job 1 is TIMEOUT, exit code 0:15"),
        (FAILED, "Slurm's job 1 is FAILED, exit code 1:0"),
        (COMPLETED, "Slurm's job 1 is COMPLETED, exit code 0:0"),
        (NEVER_STARTED, "Slurm's job 1 is CANCELLED and was never started"),
        (NODE_AWAY, ""),
        (TIMED_OUT.replace("0:15", "0:0"), ""),
        (FAILED.replace("FAILED", "NODE_FAIL"), ""),
        (FAILED.replace("FAILED", "PREEMPTED"), ""),
        (FAILED.replace("Restarts=0", "Restarts=1"), ""),
        (COMPLETED.replace("Restarts=0 ", ""), ""),
        (COMPLETED.replace("COMPLETED", "COMPLETING"), ""),
        ("", ""),
    ],
)
def test_what_is_proof(record: str, proof: str) -> None:
    assert proof_of("1", fields_of(record)) == proof


def test_the_accounting_database_knows_the_same() -> None:
    known = fields_of_sacct("CANCELLED by 1000|0:15|node7|0|2026-11-29T12:36:27\n")
    assert known is not None
    assert proof_of("8", known) == "Slurm's job 8 is CANCELLED, exit code 0:15"
    assert fields_of_sacct("NODE_FAIL|0:0|node7|0|Unknown\nCOMPLETED|0:0|node8|1|Unknown\n") is None
    assert fields_of_sacct("") is None


def test_jobs_of_ours_and_of_others() -> None:
    listing = "\n".join(
        (
            "1|RUNNING|shotline-A-p1|A:p1 t1|None",
            "2|PENDING|shotline-A_B-C-p2|A_B-C:p2 t2 kept|Resources",
            "3|COMPLETING|shotline-A-p3|A:p3 t3|None",
            "4|NODE_FAIL|shotline-A-p4|A:p4 t4|NodeDown",
            "5|RUNNING|other-A-p1|A:p1 t5|None",
            "6|RUNNING|shotline-A-p1|(null)|None",
            "7|RUNNING|shotline-A-p1|A:p2 t7|None",
            "slurm_load_jobs error",
        )
    )
    jobs = [row.as_job() for row in rows_of(listing, "shotline")]
    assert [(job.server, job.token, job.state, job.reason, job.is_kept) for job in jobs] == [
        ("A:p1", "t1", PilotState.STARTING, "", False),
        ("A_B-C:p2", "t2", PilotState.QUEUED, "Resources", True),
        ("A:p3", "t3", PilotState.STARTING, "COMPLETING", False),
        ("A:p4", "t4", PilotState.ENDED, "NODE_FAIL NodeDown", False),
    ]


def test_when_a_job_was_started_last() -> None:
    (row,) = rows_of("1|FAILED|shotline-A-p1|A:p1 t1|None", "shotline")
    job = row.as_job(fields_of(FAILED + " StartTime=2026-11-29T12:36:27 "))
    assert job.started_at == datetime(2026, 11, 29, 12, 36, 27).astimezone().timestamp()
    assert row.as_job(fields_of(FAILED + " StartTime=Unknown ")).started_at is None


def test_a_job_is_known_again_by_what_it_was_given() -> None:
    text = f"9|PENDING|{job_name('x', 'A:p1')}|{comment('A:p1', 't1', is_kept=True)}|Priority"
    (row,) = rows_of(text, "x")
    assert (row.server, row.token, row.is_kept) == ("A:p1", "t1", True)
