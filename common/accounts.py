"""Who may use the page, and what: roles of people, scopes of what is asked for. Pure."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # drive shots, start and end servers
    ADMINISTRATOR = "administrator"  # end the dispatcher, and sessions of others

    def may(self, scope: "Scope") -> bool:
        """Return whether it may do what is in a scope."""
        return _ORDER.index(self) >= _ORDER.index(NEEDED[scope])


class Scope(StrEnum):
    """What a request is about; a token is for some of these."""

    READ = "read"  # shots, actions, output, servers, logs
    METRICS = "metrics"  # what Prometheus collects
    COMMAND = "command"  # pulses, tables, runs and actions
    SERVERS = "servers"  # action servers and mdsip urls
    ADMINISTER = "administer"  # the dispatcher's end, sessions of others


_ORDER: Final = tuple(Role)
NEEDED: Final = {
    Scope.READ: Role.VIEWER,
    Scope.METRICS: Role.VIEWER,
    Scope.COMMAND: Role.OPERATOR,
    Scope.SERVERS: Role.OPERATOR,
    Scope.ADMINISTER: Role.ADMINISTRATOR,
}
"""The least role that may do what is in a scope."""
