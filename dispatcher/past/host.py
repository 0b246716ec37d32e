"""Keeps the process that looks at the past: the loop hands it jobs and never waits for them."""

from collections.abc import Callable
from typing import Final

from shotline.common.process.service import Service
from shotline.common.settings.configuration import Config
from shotline.dispatcher.job_process import JobProcess, Trade
from shotline.dispatcher.past.jobs import AnyPastJob, PastDone, decode_answer

SECTIONS: Final = {"broker", "redis", "kept"}  # of the configuration, for the process
TIMEOUT_S: Final = 60.0  # of one answer, which is bounded by its work


def past_host(
    service: Service, config: Config, on_done: Callable[[PastDone], None]
) -> JobProcess[AnyPastJob, PastDone]:
    """Return the process, not started yet."""

    def told() -> bytes:
        """What no other user may see among a program's arguments: how Redis is reached."""
        return config.model_dump_json(include=SECTIONS).encode() + b"\n"

    return JobProcess(
        service,
        "the worker of the past",
        Trade(decode_answer, _failed),
        ("shotline.dispatcher.past.worker",),
        on_done,
        timeout_s=TIMEOUT_S,
        first=told,
    )


def _failed(job: AnyPastJob, why: str) -> PastDone:
    return PastDone(job=job.job, error=f"the process that looks at the past: {why}")
