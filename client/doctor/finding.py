"""What the doctor has found: each with what to do about it. Pure."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works; something is not as it should be
    PROBLEM = "problem"  # it does not work, or will not for long


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    subject: str  # a word or two
    text: str  # what was seen
    advice: str = ""  # what to do, where something is to be done


def fine(subject: str, text: str) -> Finding:
    """Return what is in order."""
    return Finding(Level.OK, subject, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Return what should be otherwise."""
    return Finding(Level.WARNING, subject, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    """Return what must be otherwise."""
    return Finding(Level.PROBLEM, subject, text, advice)
