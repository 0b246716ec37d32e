"""What a running `shotline up` does on request: start, stop, restart and kill what it runs.

Nothing is ever started that still lives, here or elsewhere on this machine. Who is told what comes
of it is `up`'s business, and how one asks is `up_link`'s.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from shotline.client.local.daemons import Daemon, DaemonError, Daemons
from shotline.client.local.elsewhere import shotlines, take_note
from shotline.common.errors import LocalError
from shotline.common.messages import Outcome

VERBS: Final = ("start", "stop", "restart", "kill", "status")
WITHOUT_NAME: Final = ("start", "status")
REDIS: Final = "redis"
_LOGGED: Final = re.compile(r"[-0-9]+ [-+.:0-9]+Z? ([A-Z]+) +[\w.]+: ")
HELP: Final = (
    "start [NAME], restart NAME, stop NAME, kill NAME, status [NAME]; NAME is a daemon, CLASS, or "
    "CLASS:ID; without one, start means all that does not run"
)


def is_possible(words: Sequence[str]) -> bool:
    """Return whether words are a request, whatever its name means."""
    if not words or words[0] not in VERBS or any(len(word.split()) != 1 for word in words):
        return False
    return len(words) == 2 or (len(words) == 1 and words[0] in WITHOUT_NAME)


def _last_said(daemon: Daemon) -> str:
    """Return the last line of a log that is for people, without its time and place."""
    for line in reversed(daemon.last_lines().splitlines()):
        logged = _LOGGED.match(line)
        if line.strip() and (logged is None or logged[1] != "DEBUG"):
            return _LOGGED.sub("", line).strip()
    return ""


class Units:
    """Redis, daemons and servers by their names, whatever each of them is made of."""

    def __init__(self, daemons: Daemons) -> None:
        self._daemons = daemons
        self._by_name: dict[str, Daemon] = {daemon.name: daemon for daemon in daemons.all}
        redis = [REDIS] if daemons.redis is not None else []
        self.names: tuple[str, ...] = (*redis, *self._by_name)

    def named(self, name: str) -> list[str]:
        """Return the units that a name means: itself, or all servers of a class."""
        if name in self.names:
            return [name]
        return [one for one in self.names if one.startswith(f"{name}:")]

    def pid(self, name: str) -> int | None:
        """Return the process id of one; None when it does not run."""
        redis = self._daemons.redis
        if name == REDIS and redis is not None:
            return redis.pid
        return self._by_name[name].pid

    def daemon(self, name: str) -> Daemon | None:
        """Return the daemon of this name; Redis is none."""
        return self._by_name.get(name)

    def adopted(self, name: str) -> bool:
        """Return whether it is a process that was started elsewhere."""
        return name in self._by_name and self._by_name[name].adopted

    def log_file(self, name: str) -> str:
        """Return the file of its log."""
        redis = self._daemons.redis
        if name == REDIS and redis is not None:
            return str(redis.log_file)
        return str(self._by_name[name].log_file)

    def how_it_ended(self, name: str) -> str:
        """Return in words how one ended that runs no more."""
        if self.adopted(name):
            return "it was started elsewhere"
        daemon = self._by_name.get(name)
        status = None if daemon is None else daemon.exit_status
        if daemon is None or status is None:
            return f"see {self.log_file(name)}"
        how = f"by signal {-status}" if status < 0 else f"exit status {status}"
        last = _last_said(daemon) if status > 0 else ""
        return f"{how}{last and f': {last}'}; see {daemon.log_file}"

    def start(self, name: str, tell: Callable[[str], None]) -> None:
        """Start one, and return once it serves. Raise DaemonError or RedisServerError."""
        start_s = self._daemons.config.up.start_s
        daemon = self.begin(name, tell)
        if daemon is not None:
            daemon.wait_ready(time.monotonic() + start_s)

    def begin(self, name: str, tell: Callable[[str], None]) -> Daemon | None:
        """Start one, and return it while it does not serve yet. Raise as `start` does."""
        daemon = self._by_name.get(name)
        if daemon is None:
            assert self._daemons.redis is not None
            self._daemons.redis.start(self._daemons.config.up.start_s)
            return None
        take_note(self._daemons, daemon, shotlines(), tell)
        if daemon.running:
            return None
        daemon.start()
        return daemon

    def end(self, name: str, *, at_once: bool) -> None:
        """End one in order, or at once as a crash would, and wait until it is gone."""
        one = self._by_name.get(name) or self._daemons.redis
        assert one is not None
        if at_once:
            one.kill()
        else:
            one.stop(self._daemons.config.up.stop_s)


class Requests:
    """Carries out what is asked for. `stopped` are the units that were ended by request."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self.stopped: set[str] = set()

    def answer(self, words: Sequence[str], tell: Callable[[str], None]) -> Outcome:
        """Do what a line asks for; `tell` gets in words what was done, or why not."""
        if not is_possible(words):
            tell(f"possible is: {HELP}")
            return Outcome.USAGE
        verb, *names = words
        meant = self._units.named(names[0]) if names else list(self._units.names)
        if not meant:
            tell(f"this `shotline up` has no {names[0]}; it has {', '.join(self._units.names)}")
            return Outcome.REFUSED
        if verb == "start" and not names:
            meant = [name for name in meant if self._units.pid(name) is None]
            if not meant:
                tell("all run already")
        worst = Outcome.OK
        for name in meant:
            outcome = self._status(name, tell) if verb == "status" else self._do(verb, name, tell)
            worst = outcome if outcome is not Outcome.OK else worst
        return worst

    def _status(self, name: str, tell: Callable[[str], None]) -> Outcome:
        pid = self._units.pid(name)
        if pid is None:
            how = "stopped by request" if name in self.stopped else self._units.how_it_ended(name)
            tell(f"{name} does not run ({how})")
            return Outcome.NOBODY
        elsewhere = ", started elsewhere" if self._units.adopted(name) else ""
        tell(f"{name} runs (process {pid}{elsewhere})")
        return Outcome.OK

    def _do(self, verb: str, name: str, tell: Callable[[str], None]) -> Outcome:
        pid = self._units.pid(name)
        if verb == "start" and pid is not None:
            tell(f"{name} runs already (process {pid})")
            return Outcome.OK
        if pid is not None and self._units.adopted(name):
            tell(f"{name} runs as process {pid}, which was started elsewhere: end it there")
            return Outcome.REFUSED
        if verb != "start":
            self.stopped.add(name)
            self._units.end(name, at_once=verb == "kill")
            how = f"ended {name} (process {pid})" if pid is not None else f"{name} did not run"
            tell(f"{how}{'; it stays down' if verb != 'restart' else ''}")
        return self._start(name, tell) if verb in ("start", "restart") else Outcome.OK

    def _start(self, name: str, tell: Callable[[str], None]) -> Outcome:
        try:
            self._units.start(name, tell)
        except LocalError as error:
            self.stopped.discard(name)
            tell(f"{name} was not started: {error}")
            return Outcome.REFUSED if isinstance(error, DaemonError) else Outcome.ERROR
        self.stopped.discard(name)
        tell(f"up    {name} (process {self._units.pid(name)})")
        return Outcome.OK
