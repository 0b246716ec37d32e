"""Pilots that the site's own script starts and ends: `sh SCRIPT CLASS START ID`, KILL, RESTART.

It lists nothing: whether a server is there is seen by the dispatcher alone, and nothing is proven.
"""

import logging
import os
from pathlib import Path

from shotline.common.settings.sections.providers import ProvidersSection
from shotline.providers.events import Cancel, NotStarted, Start, Started
from shotline.providers.programs import Ran, Unanswered, run

log = logging.getLogger(__name__)


class Script:
    """The engine."""

    def __init__(self, section: ProvidersSection, script: Path) -> None:
        self._section = section
        self._script = script

    async def start(self, asked: Start) -> Started | NotStarted:
        """Start a server; one that may still be there is ended and started anew."""
        try:
            ran = await self._run(asked.server, "RESTART" if asked.may_run else "START")
        except Unanswered as error:
            return NotStarted(asked.server, asked.token, str(error), is_unsure=True)
        except OSError as error:
            return NotStarted(asked.server, asked.token, f"{self._script} cannot be run: {error}")
        if ran.code:
            return NotStarted(asked.server, asked.token, ran.words)
        return Started(asked.server, asked.token)

    async def cancel(self, asked: Cancel) -> None:
        """End a server at once."""
        try:
            ran = await self._run(asked.server, "KILL")
        except (Unanswered, OSError) as error:
            log.warning("%s is perhaps not ended: %s", asked.server, error)
            return
        if ran.code:
            log.warning("%s is not ended: %s", asked.server, ran.words)

    async def _run(self, server: str, command: str) -> Ran:
        server_class, _, server_id = server.partition(":")
        program = [str(self._script), server_class, command, server_id]
        if not os.access(self._script, os.X_OK):
            program = ["sh", *program]
        return await run(program, self._section.command_s)
