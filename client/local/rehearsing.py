"""Rehearsals on this machine: which process a daemon is, and how it is let hang or crash."""

import signal
from typing import Literal

import psutil

from shotline.client.calls import Call, answer, make
from shotline.client.local.daemons import Daemons
from shotline.client.local.elsewhere import process_of
from shotline.client.report import Answer
from shotline.common.commands import Rehearse
from shotline.common.errors import LocalError
from shotline.common.process import rehearsal

What = Literal["hang", "crash"]


class NoRehearsal(LocalError):
    """What is to be rehearsed is not possible here; the text says why."""


def asked(what: What, daemon: str, host: str) -> Call[Answer]:
    """Ask whether a daemon of a host may be let hang or crash. The answer goes into the audit."""
    return answer(make(Rehearse, what=what, daemon=daemon, host=host))


def found(daemons: Daemons, name: str, what: What) -> psutil.Process:
    """Return the process of a daemon that may be let hang or crash. Raise NoRehearsal."""
    if not daemons.config.debug.rehearsals:
        raise NoRehearsal(
            f"rehearsals are off: set `rehearsals: true` under `debug` in {daemons.file}, and "
            "start the daemons again"
        )
    daemon = daemons.named(name)
    if daemon is None:
        raise NoRehearsal(
            f"{name} is no daemon: give hub, broker, dispatcher, monitor, a bridge as `up.daemons` "
            "names it, or a server CLASS:ID"
        )
    process = process_of(daemons, daemon)
    if process is None:
        raise NoRehearsal(
            f"{name} of {daemons.file} does not run on this machine, or not as this user's: give "
            "the command where it runs"
        )
    if what == "hang" and not rehearsal.listens(process.pid):
        raise NoRehearsal(
            f"{name} (process {process.pid}) was started while rehearsals were off: start it again"
        )
    return process


def carry_out(process: psutil.Process, what: What) -> None:
    """Let a daemon hang or crash. Raise NoRehearsal where that is not ours to do."""
    try:
        process.send_signal(rehearsal.HANG if what == "hang" else signal.SIGKILL)
    except psutil.NoSuchProcess:
        raise NoRehearsal(f"process {process.pid} has ended meanwhile") from None
    except psutil.AccessDenied:
        raise NoRehearsal(f"process {process.pid} is another user's") from None
