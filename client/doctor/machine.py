"""What the doctor sees of its own machine: configuration, disk, clock, limits, units."""

import ctypes
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.common.settings.config import Config, check_config

_MIB: Final = 1024 * 1024
_FREE_BYTES_MIN: Final = 256 * _MIB
_FREE_BYTES: Final = 1024 * _MIB  # besides the largest spill file
_FILES_MIN: Final = 4096
_TIME_ERROR: Final = 5  # of adjtimex(2): nobody keeps the clock right
_TIMEX_BYTES: Final = 512  # more than a struct timex has
_PROGRAM_S: Final = 10.0


def configuration(file: Path) -> Iterator[Finding]:
    """Look for everything that is wrong with the configuration file."""
    problems = check_config(file)
    for one in problems:
        yield problem("configuration", str(one), "mend it; `shotline check-config` looks again")
    if not problems:
        yield fine("configuration", f"{file} is in order")


def machine(config: Config) -> Iterator[Finding]:
    """Look at this machine."""
    yield from _disk(config)
    yield _clock()
    yield from _limits()
    yield from _units()


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.data_folder
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(there).free
    text = f"{free // _MIB} MiB are free in {folder}"
    needed = config.journal.spill_bytes_max + _FREE_BYTES
    if free < _FREE_BYTES_MIN:
        yield problem(
            "disk", text, "make room: nothing can be journalled there while Redis is away"
        )
    elif free < needed:
        advice = f"make room: with Redis away and logs, {needed // _MIB} MiB may be needed"
        yield warning("disk", text, advice)
    else:
        yield fine("disk", text)
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & stat.S_IRWXO:
        text = f"everybody on this machine may look into {folder}"
        yield warning("disk", text, f"chmod o= {folder}")


def _clock() -> Finding:
    """Ask the kernel whether somebody keeps this machine's clock right."""
    state = _TIME_ERROR
    if sys.platform == "linux":
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )
    if state == _TIME_ERROR:
        text = "nobody keeps this machine's clock right"
        advice = "install chrony, or enable systemd-timesyncd: times of logs are compared by people"
        return warning("clock", text, advice)
    return fine("clock", "this machine's clock is kept right")


def _limits() -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= most < _FILES_MIN:
        text = f"a process of this user may open {most} files"
        advice = f"let it be at least {_FILES_MIN} (limits.conf, or LimitNOFILE of the unit)"
        yield warning("limits", text, advice)


def _units() -> Iterator[Finding]:
    """Look for units of ours that have failed, where systemd runs."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        return
    words = ["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager", "shotline*"]
    done = subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, timeout=_PROGRAM_S, check=False
    )
    for line in done.stdout.splitlines():
        name = line.split()[0]
        yield problem("units", f"{name} has failed", f"journalctl -u {name} says why")
