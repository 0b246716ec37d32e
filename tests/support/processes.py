"""Which processes run from a folder: what a test has started must all have ended."""

import os
from pathlib import Path

import psutil


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return what runs from a folder: its path is in the command line or the environment.

    Tests end what they find here. So it must be a folder of pytest's own: a short path, as `/`,
    is a part of everybody's command line.
    """
    assert folder.is_absolute(), folder
    assert any(part.startswith("pytest-") for part in folder.parts), folder
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
