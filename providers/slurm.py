"""Pilots as jobs of Slurm, by its commands: sbatch, squeue, scancel, scontrol, sacct.

Nothing is decided here. A job is asked for with `--no-requeue`, and with a name that Slurm runs one
of at a time (`--dependency=singleton`): what is asked for twice does not run twice.
"""

import getpass
import logging
from typing import Final

from shotline.common.process.clocks import elapsed_s
from shotline.common.settings.config import packaged
from shotline.common.settings.sections.providers import ProvidersSection
from shotline.providers.accounting import (
    LISTING,
    SACCT_FIELDS,
    Row,
    comment,
    fields_of,
    fields_of_sacct,
    job_name,
    rows_of,
)
from shotline.providers.events import (
    Cancel,
    Listed,
    NotListed,
    NotStarted,
    Start,
    Started,
)
from shotline.providers.programs import Unanswered, run

log = logging.getLogger(__name__)

_NO_ANSWER: Final = ("Unable to contact slurm controller", "Socket timed out", "connect failure")
"""What the commands say where nobody has answered them."""


class Slurm:
    """The engine."""

    def __init__(self, section: ProvidersSection) -> None:
        self._section = section
        self._script = section.slurm_script or packaged("slurm_pilot.sh")

    async def look(self, judged: frozenset[str]) -> Listed | NotListed:
        """Return all jobs of ours that Slurm knows, with proofs of those that are over."""
        asked_at = elapsed_s()
        arguments = ["squeue", "--noheader", "--states=all", f"--user={getpass.getuser()}"]
        try:
            ran = await run([*arguments, f"--format={LISTING}"], self._section.command_s)
        except (Unanswered, OSError) as error:
            return NotListed("slurm", str(error))
        if ran.code:
            return NotListed("slurm", ran.words)
        jobs = []
        for row in rows_of(ran.output, self._section.name):
            fields = None
            if row.is_over and row.job not in judged:
                fields = await self._record(row)
            jobs.append(row.as_job(fields))
        return Listed("slurm", tuple(jobs), asked_at)

    async def _record(self, row: Row) -> dict[str, str] | None:
        """Return what is on record of a job that is over; None where nobody can say."""
        limit_s = self._section.command_s
        try:
            ran = await run(["scontrol", "show", "job", "-o", row.job], limit_s)
            if not ran.code:
                return fields_of(ran.output)
            fields = f"--format={SACCT_FIELDS}"
            ran = await run(["sacct", "-n", "-P", "-X", "-D", f"--jobs={row.job}", fields], limit_s)
        except (Unanswered, OSError) as error:
            log.warning("nothing is known of how job %s has ended: %s", row.job, error)
            return None
        found = None if ran.code else fields_of_sacct(ran.output)
        if found is None:  # there may be no accounting at all
            log.warning("nothing is known of how job %s has ended; sacct: %s", row.job, ran.words)
        return found

    async def start(self, asked: Start) -> Started | NotStarted:
        """Ask for a job."""
        section = self._section
        server_class, _, server_id = asked.server.partition(":")
        one = section.classes[server_class]
        until = [] if asked.is_kept else ["--until", f"idle={one.idle_s:.6f}"]
        if one.actions is not None:
            until += ["--until", f"actions={one.actions}"]
        arguments = [
            "sbatch",
            "--parsable",
            "--no-requeue",
            f"--job-name={job_name(section.name, asked.server)}",
            f"--comment={comment(asked.server, asked.token, is_kept=asked.is_kept)}",
            "--dependency=singleton",
            "--output=/dev/null",
            *one.options,
            str(self._script),
            *section.program,
            server_class,
            server_id,
            "--slots",
            str(one.slots),
            "--pilot",
            asked.token,
            *(word for label in one.labels for word in ("--label", label)),
            *until,
        ]
        try:
            ran = await run(arguments, section.command_s)
        except Unanswered as error:
            return NotStarted(asked.server, asked.token, str(error), is_unsure=True)
        except OSError as error:
            return NotStarted(asked.server, asked.token, f"sbatch cannot be run: {error}")
        if ran.code:
            is_unsure = any(words in ran.errors for words in _NO_ANSWER)
            return NotStarted(asked.server, asked.token, ran.words, is_unsure)
        return Started(asked.server, asked.token, ran.output.strip().partition(";")[0])

    async def cancel(self, asked: Cancel) -> None:
        """End a job, or take it back."""
        arguments = ["scancel", *(["--state=PENDING"] if asked.only_queued else []), asked.job]
        try:
            ran = await run(arguments, self._section.command_s)
        except (Unanswered, OSError) as error:
            log.warning("job %s of %s is perhaps not ended: %s", asked.job, asked.server, error)
            return
        if ran.code:
            log.warning("job %s of %s is not ended: %s", asked.job, asked.server, ran.words)
