"""Which processes run from a folder: what a test has started must all have ended."""

import os
from pathlib import Path

import psutil


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return what runs from a folder: its path is in the command line or the environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        own = process.pid == os.getpid() or "pytest" in " ".join(told[:4])
        if not own and any(str(folder) in text for text in told):
            found.append(process)
    return found
