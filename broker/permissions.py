"""Who may send what: peers, their roles, messages, commands (DESIGN §8). Pure.

Which role a peer has is decided by its key; without keys everybody has every role.
"""

from typing import Final

from shotline.common.base import Value, tag_of
from shotline.common.commands import VIEWING, WATCHING, NoteAccess, ProviderReport, Rehearse
from shotline.common.keys.peers import ANY_CLASS, PeerRole, covers

Roles = frozenset[PeerRole]
EVERYBODY: Final[Roles] = frozenset(PeerRole)

_SERVERS: Final = frozenset({PeerRole.SERVER})
_DISPATCHERS: Final = frozenset({PeerRole.DISPATCHER})
_CLIENTS: Final = frozenset(PeerRole) - _SERVERS - _DISPATCHERS
_COMMANDERS: Final = frozenset({PeerRole.MONITOR, PeerRole.OPERATOR})
_WATCHERS: Final = _COMMANDERS | {PeerRole.WATCHER}
_OF_DAEMONS: Final = {
    tag_of(NoteAccess): PeerRole.MONITOR,
    tag_of(ProviderReport): PeerRole.PROVIDER,
    tag_of(Rehearse): PeerRole.OPERATOR,
}


class Peer(Value):
    """Who is behind a connection.

    `name`: of the key that it has proven to have, empty without keys. `classes`: patterns of those
    that it may serve. `address`: where it comes from, empty where there is no network. `refused`:
    why nothing of it is taken.
    """

    name: str = ""
    roles: Roles = EVERYBODY
    classes: str = ANY_CLASS
    address: str = ""
    refused: str = ""

    def may_serve(self, server: str) -> bool:
        """Return whether it may register as this CLASS:ID."""
        return covers(self.classes, server)

    def __str__(self) -> str:
        known = f"{self.name!r} " if self.name else ""
        return f"{known}at {self.address}" if self.address else f"{known}on this machine"


ANYBODY: Final = Peer()

MAY_SEND: Final[dict[str, Roles]] = {
    "hello": _CLIENTS,
    "request": _CLIENTS,
    "ping": _CLIENTS | _DISPATCHERS,
    "goodbye": _CLIENTS | _DISPATCHERS | _SERVERS,
    "claim": _DISPATCHERS,
    "register": _SERVERS,
    "probe_answer": _SERVERS,
    "server_beat": _SERVERS,
    "started": _SERVERS,
    "progress": _SERVERS,
    "output": _SERVERS,
    "tail": _SERVERS,
    "finished": _SERVERS,
    "returned": _SERVERS,
    "workers_told": _SERVERS,
    "bound": _SERVERS,
    "log_line": _SERVERS,
    "problem": _SERVERS,
}


def may_send(roles: Roles, kind: str) -> bool:
    """Return whether a peer of these roles may send a message of this kind to the broker."""
    return not roles.isdisjoint(MAY_SEND.get(kind, frozenset()))


def may_observe(role: PeerRole) -> bool:
    """Return whether a peer of this role may subscribe to the event feed."""
    return role in _CLIENTS


def may_command(roles: Roles, verb: str) -> bool:
    """Return whether a peer of these roles may give this command (`verb` of `Request`)."""
    daemon = _OF_DAEMONS.get(verb)
    if daemon is not None:
        return daemon in roles
    if verb in WATCHING:
        return not roles.isdisjoint(_WATCHERS)
    return not roles.isdisjoint(_CLIENTS if verb in VIEWING else _COMMANDERS)


def shown_role(roles: Roles) -> str:
    """Return the one word that tells a client what it may do."""
    for role in (PeerRole.OPERATOR, PeerRole.MONITOR, PeerRole.VIEWER):
        if role in roles:
            return role.value
    return ", ".join(sorted(roles)) or "nobody"
