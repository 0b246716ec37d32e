"""What the worker of the past is asked and answers, for the machine and on the pipe. Pure."""

from typing import Final

import msgspec

from shotline.common import commands as c
from shotline.common.base import Struct
from shotline.common.past.commands import PastImport, PastQuestion
from shotline.common.records import ShotKey

PastAsked = PastQuestion | PastImport | c.Actions | c.Show | c.Logs | c.Check
"""What the worker answers; the last four of shots that only a file has."""


class PastJob(Struct, tag_field="job_kind", tag="past"):
    """Answer a command; `wall` is the time that it is now, `by` who has given it."""

    job: int
    asked: PastAsked
    bytes_max: int  # of the answer's list, about
    wall: float
    by: str = ""


class KeptJob(Struct, tag_field="job_kind", tag="kept"):
    """Say which shots only files have."""

    job: int


class KeepJob(Struct, tag_field="job_kind", tag="keep"):
    """Write a shot that Redis has into its file; done means that it is whole, and on the disk."""

    job: int
    key: ShotKey
    wall: float


class PastDone(Struct):
    """A job has ended: a result as JSON, or in words why there is none.

    `kept`: the shots that only files have, where that was asked or has changed.
    """

    job: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    is_last: bool = True
    message: str = ""
    notices: tuple[str, ...] = ()
    failed: bool = False  # it was done, and an action has failed (`check`)
    error: str = ""
    unknown: bool = False  # what the command names does not exist
    kept: tuple[ShotKey, ...] | None = None


AnyPastJob = PastJob | KeptJob | KeepJob

_JOBS: Final[msgspec.json.Decoder[AnyPastJob]] = msgspec.json.Decoder(AnyPastJob)
_ANSWERS: Final = msgspec.json.Decoder(PastDone)


def decode_job(line: bytes) -> AnyPastJob:
    """Return the job of a line. Raise ValueError."""
    return _JOBS.decode(line)


def decode_answer(line: bytes) -> PastDone:
    """Return the answer of a line. Raise ValueError."""
    return _ANSWERS.decode(line)
