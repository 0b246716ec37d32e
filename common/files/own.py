"""The modes of what our programs write: data for their user alone, logs for its group, too."""

import os
from pathlib import Path
from typing import Final

GROUP_FOLDER: Final = 0o750
"""The mode of folders in which others of the user's group look for logs."""


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make a folder unless it is there, and those that it lies in, which its group may pass.

    What is there keeps its mode. Raise OSError.
    """
    for one in reversed([one for one in folder.parents if not one.exists()]):
        one.mkdir(GROUP_FOLDER, exist_ok=True)
    folder.mkdir(mode, exist_ok=True)


def private_opener(path: str, flags: int) -> int:
    """Open a file as `open` does; a new one is its user's alone."""
    return os.open(path, flags, 0o600)


def log_opener(path: str, flags: int) -> int:
    """Open a log as `open` does; a new one may be read by the user's group."""
    return os.open(path, flags, 0o640)
