"""Secrets: from files that nobody else can read, or from systemd's credentials.

They are read when they are needed and kept nowhere, so that a file may be replaced meanwhile.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from shotline.common.errors import ConfigError

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def secret_of(file: Path | None, credential: str) -> str | None:
    """Return the secret in a file, or else in systemd's credential; None: there is neither.

    Raise ConfigError as `read_secret` does.
    """
    if file is not None:
        return read_secret(file)
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    given = Path(folder) / credential if folder else None
    # That folder is systemd's, which lets in the unit's user by other means than the mode.
    return None if given is None or not given.exists() else read_secret(given, is_guarded=True)


def read_secret(file: Path, *, is_guarded: bool = False) -> str:
    """Return the secret in a file: its text without the end of the line.

    Raise ConfigError, in words, for a file that cannot be read, is empty, or that others can use,
    unless something else guards it.
    """
    try:
        with file.open(encoding="utf-8") as opened:
            problem = None if is_guarded else _problem(file, os.fstat(opened.fileno()))
            text = opened.read().strip("\r\n")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"the secret in {file} cannot be read: {why}") from None
    if problem:
        raise ConfigError(problem)
    if not text:
        raise ConfigError(f"the file {file} is empty; it is to hold a secret")
    return text


def write_secret(file: Path, text: str) -> None:
    """Replace a file by this text, for its owner alone. Raise ConfigError when it cannot be.

    It stays its owner's, also where root writes it.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            with contextlib.suppress(FileNotFoundError):
                before = file.stat()
                os.fchown(descriptor, before.st_uid, before.st_gid)
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None


def problem_of(file: Path) -> str | None:
    """Return why a secret may not stand in this file, None where it may, or is not there."""
    try:
        return _problem(file, file.stat())
    except OSError:
        return None


def _problem(file: Path, status: os.stat_result) -> str | None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        return (
            f"others than its owner may use {file} (mode {mode:04o}), which holds a secret: "
            f"chmod 600 {file}, and change the secret if somebody may have read it"
        )
    if status.st_uid not in (0, os.geteuid()):
        return f"{file}, which holds a secret, belongs to another user (uid {status.st_uid})"
    return None
