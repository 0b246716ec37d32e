"""What one address of the monitor is: who answers there, to whom, and what the documents say. Pure.

The table of all routes is in `routes`; the OpenAPI document, the application and the tests of who
may do what are made from it.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from shotline.common.base import Struct, Value, tag_of
from shotline.common.command import Command
from shotline.common.commands import READING, VERBS
from shotline.common.scopes import Scope

GET_VERBS: Final = READING | {"check"}
"""Those that may be asked for by GET; `check` only without `reset`."""

Needs = Mapping[str, Scope | None]
"""By method, what a request is about; None: it is answered to everybody."""


class Route(Value):
    """One address. With a `summary` it is described in the OpenAPI document."""

    path: str  # as tornado has it: a group at its end is the name of a file
    handler: type
    needs: Needs
    summary: str = ""
    request: type[BaseModel] | None = None
    answer: type[Struct] | None = None
    command: type[Command] | None = None
    query: tuple[str, ...] = ()  # what must be said of it

    @property
    def is_free(self) -> bool:
        """Whether it needs no control, where one person at a time has it."""
        if self.command is not None:
            return self.command.ALWAYS
        return self.name in ("control", "end_sessions")

    @property
    def name(self) -> str:
        """A command's verb, else the last part of its path."""
        return tag_of(self.command) if self.command else self.path.rpartition("/")[2]


def path_of(verb: str) -> str:
    """Return the address at which a command is given: data records have a folder of their own."""
    of_records = verb.removeprefix("records_")
    return f"/api/{verb}" if of_records == verb else f"/api/records/{of_records}"


def needs_of(verb: str) -> Needs:
    """Return by which methods a command is given, and what it is about."""
    scope = VERBS[verb].SCOPE
    asked: Needs = {"GET": scope if verb in READING else Scope.READ} if verb in GET_VERBS else {}
    return {**asked, "POST": scope}
