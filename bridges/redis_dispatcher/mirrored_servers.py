"""The action servers as the old programs see them: the last view of each, as changes. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher.changes import Change
from shotline.bridges.redis_dispatcher.translation import SERVER_COMMANDS
from shotline.common.views import ServerView

_SEEN: Final = ("alive", "suspect")


class MirroredServers:
    """All servers that Shotline has told of, by CLASS:ID."""

    def __init__(self) -> None:
        self._views: dict[str, ServerView] = {}
        self._are_known = False  # whether all that there are were told once

    def __len__(self) -> int:
        return len(self._views)

    def take(self, servers: Iterable[ServerView]) -> list[Change]:
        """Take what has changed."""
        found: list[Change] = []
        for view in servers:
            self._views[view.server] = view
            found += _fields(view)
        return found

    def take_all(self, servers: Iterable[ServerView]) -> list[Change]:
        """Take all that there are; those that are not among them are lost."""
        self._are_known = True
        there = tuple(servers)
        gone = set(self._views) - {view.server for view in there}
        lost = [structs.replace(self._views[name], liveness="lost") for name in gone]
        return self.take([*lost, *there])

    def everything(self) -> list[Change]:
        """Return all that makes the old keys right again."""
        return [change for view in self._views.values() for change in _fields(view)]

    def beats(self) -> list[Change]:
        """Return the signs of life of all that are there."""
        return [change for name in self._views for change in self.beat_of(name)]

    def beat_of(self, server: str) -> list[Change]:
        """Return the signs of life of a server that is there."""
        view = self._views.get(server)
        if view is None or view.liveness != "alive":
            return []
        fields = ((view.server_id, "ON"),)
        return [
            ch.SetFields(f"ACTION_SERVER_ACTIVE:{view.server_class}", fields),
            ch.AddOne(f"ACTION_SERVER_HEARTBEAT:{view.server_class}", view.server_id),
        ]

    def calls(self) -> list[Change]:
        """Return what the old dispatcher calls out to its servers, which its page listens to."""
        return [
            ch.Publish(f"{SERVER_COMMANDS}{view.server_class}", f"HEARTBEAT+{view.server_id}")
            for view in self._views.values()
            if view.liveness == "alive"
        ]

    def never_there(self, server_classes: Iterable[str]) -> list[Change]:
        """Return what shows those of these classes that never had a server: as their first, off."""
        if not self._are_known:
            return []
        known = {view.server_class for view in self._views.values()}
        return [
            ch.SetFields(f"ACTION_SERVER_ACTIVE:{name}", (("1", "OFF"),))
            for name in sorted(set(server_classes) - known)
        ]

    def all_off(self) -> list[Change]:
        """Return what shows that nobody vouches for the servers any more."""
        return [
            ch.SetFields(f"ACTION_SERVER_ACTIVE:{view.server_class}", ((view.server_id, "OFF"),))
            for view in self._views.values()
        ]


def _fields(view: ServerView) -> list[Change]:
    name, id_ = view.server_class, view.server_id
    active = "ON" if view.liveness in _SEEN else "OFF"
    return [
        ch.SetFields(f"ACTION_SERVER_ACTIVE:{name}", ((id_, active),)),
        ch.SetFields(f"ACTION_SERVER_DOING:{name}", ((id_, str(len(view.busy))),)),
        # A server of the broker's own machine may be connected without a network.
        ch.SetFields(f"ACTION_SERVER_IP:{name}", ((id_, view.address or view.host),)),
    ]
