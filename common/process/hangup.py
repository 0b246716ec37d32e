"""What SIGHUP does in a daemon: its log is opened anew and the configuration is read again.

It never ends a daemon. What the log needs is applied; of the rest that the daemon has read it says
which keys have changed, since those count at its next start only.
"""

import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from shotline.common.errors import ConfigError
from shotline.common.process import rehearsal
from shotline.common.process.logs import configure_logging
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config
from shotline.common.settings.sections.logs import LoggingSection

log = logging.getLogger(__name__)

_NAMED_MAX: Final = 20


class Hangup:
    """The log and the configuration of a daemon. Call it to do what SIGHUP asks for.

    `read` reads the configuration as it was read at the start; `sections` are those that the daemon
    uses. Raise ConfigError like `read`. From then on SIGHUP ends the process no more.

    `config` is what counts now. `apply` is given that and what was read, and returns what counts
    from then on; without it only the log's settings are applied. `systemd` is the daemon's,
    too: it knows whether the daemon serves yet.
    """

    def __init__(self, program: str, read: Callable[[], Config], *sections: str) -> None:
        survive()
        self._program = program
        self._read = read
        self._sections = ("logging", "debug", *sections)
        self.apply: Callable[[Config, Config], Config] = lambda now, _read: now
        self._is_asked = self._is_busy = False
        self.systemd = Systemd()
        self.config = read()
        configure_logging(program, self.config.logging)
        if self.config.debug.rehearsals:
            rehearsal.listen()
        # Until the daemon's loop listens, and after its end: a start may wait for Redis for long.
        signal.signal(signal.SIGHUP, lambda _number, _frame: self())

    def __call__(self) -> None:
        """Open the log anew, read the configuration, and say what was not applied.

        What comes in the middle of it, as a signal may, is done once more afterwards.
        """
        self._is_asked = True
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._is_asked:
                self._is_asked = False
                with self.systemd.reloading():
                    self._go_on()
        finally:
            self._is_busy = False

    def _go_on(self) -> None:
        try:
            read = self._read()
        except (ConfigError, OSError) as error:
            reopen(self._program, self.config.logging)
            log.error(
                "SIGHUP: the configuration stays as it was, since the new one is wrong: %s", error
            )
            return
        if not reopen(self._program, read.logging):
            return
        before = self.config
        self.config = self.apply(before, read).model_copy(update={"logging": read.logging})
        applied = list(changed_keys(before, self.config, *self._sections))
        waiting = list(changed_keys(self.config, read, *self._sections))
        if applied:
            log.info("SIGHUP: applied %s", ", ".join(applied))
        if waiting:
            more = f" and {len(waiting) - _NAMED_MAX} more" if len(waiting) > _NAMED_MAX else ""
            log.warning(
                "SIGHUP: changed, but it counts only when %s is started again: %s%s",
                self._program,
                ", ".join(waiting[:_NAMED_MAX]),
                more,
            )


def survive() -> None:
    """Let SIGHUP end this process no more. What it starts is ended by it as before."""
    # A handler that does nothing: SIG_IGN would be handed down to all processes started here.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)


def reopen(program: str, settings: LoggingSection) -> bool:
    """Open a daemon's log anew; where that cannot be, say so in the old one and return False."""
    try:
        configure_logging(program, settings)
    except ConfigError as error:
        log.error("SIGHUP: the log stays where it is: %s", error)
        return False
    log.info("SIGHUP: the log goes on")
    return True


def changed_keys(old: Config, new: Config, *sections: str) -> Iterator[str]:
    """Yield the dotted keys of these sections whose values differ."""
    for section in sections:
        before = getattr(old, section)
        after = getattr(new, section)
        if hasattr(before, "model_dump"):
            before, after = before.model_dump(), after.model_dump()
        yield from _different(section, before, after)


def _different(name: str, old: object, new: object) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            yield from _different(f"{name}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield name
