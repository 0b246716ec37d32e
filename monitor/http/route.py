"""What one address of the monitor is: who answers there, to whom, and what the documents say. Pure.

The table of all routes is in `routes`; the OpenAPI document, the application and the tests of who
may do what are made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import BaseModel

from shotline.common.accounts import Scope
from shotline.common.base import Struct, tag_of
from shotline.common.commands import READING, AnyCommand, Command

VERBS: Final[dict[str, type[Command]]] = {tag_of(kind): kind for kind in get_args(AnyCommand)}
"""Every command by its verb."""

GET_VERBS: Final = READING | {"check"}
"""Those that may be asked for by GET; `check` only without `reset`."""

_SCOPES: Final = {
    "server_restart": Scope.SERVERS,
    "server_abort": Scope.SERVERS,
    "server_stop": Scope.SERVERS,
    "server_quit": Scope.SERVERS,
    "clear_url": Scope.SERVERS,
    "quit": Scope.ADMINISTER,
}

FREE: Final = frozenset(("abort", "abort_pending", "hold", "server_abort"))
"""Verbs that end or hold something: no lease keeps an operator from that."""

Needs = Mapping[str, Scope | None]
"""By method, what a request is about; None: it is answered to everybody."""


@dataclass(frozen=True, slots=True)
class Route:
    """One address. With a `summary` it is described in the OpenAPI document."""

    path: str  # as tornado has it: a group at its end is the name of a file
    handler: type
    needs: Needs
    summary: str = ""
    request: type[BaseModel] | None = None
    answer: type[Struct] | None = None
    command: type[Command] | None = None

    @property
    def is_free(self) -> bool:
        """Whether it needs no control, where one person at a time has it."""
        return self.name in FREE or self.name in ("control", "end_sessions")

    @property
    def name(self) -> str:
        """The last part of its path: a command's verb."""
        return self.path.rpartition("/")[2]


def scope_of(verb: str) -> Scope:
    """Return what a command is about."""
    return Scope.READ if verb in READING else _SCOPES.get(verb, Scope.COMMAND)


def needs_of(verb: str) -> Needs:
    """Return by which methods a command is given, and what it is about."""
    asked: Needs = {"GET": Scope.READ} if verb in GET_VERBS else {}
    return {**asked, "POST": scope_of(verb)}
