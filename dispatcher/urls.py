"""Which shot each mdsip server may work for: all that runs in it shares one process.

A url is bound to one (tree, shot) from the sending of an action until it is known to have ended
there; actions of other shots wait (DESIGN §6, mdsip). Servers that share a url are so kept apart.
What each action server's keeper says of its url counts, too. Pure.
"""

from collections.abc import Callable

from shotline.common.actions import AttemptId
from shotline.common.messages import Bound
from shotline.common.records import ShotKey


def url_key(url: str) -> str:
    """Return what two spellings of one url have in common."""
    return url.removeprefix("tcp://").rstrip("/").casefold()


class Urls:
    """The bindings of all urls."""

    def __init__(self) -> None:
        self._unanswered: dict[str, dict[AttemptId, None]] = {}
        self._url_of: dict[AttemptId, str] = {}
        self._reported: dict[str, dict[str, Bound]] = {}  # by url, then by server

    def take(self, url: str, attempt: AttemptId) -> None:
        """Bind the url to the attempt's shot until the attempt is answered."""
        key = url_key(url)
        self._unanswered.setdefault(key, {})[attempt] = None
        self._url_of[attempt] = key

    def answered(self, attempt: AttemptId) -> None:
        """The attempt has ended there, or never began; one that has no url is ignored."""
        key = self._url_of.pop(attempt, None)
        if key is not None:
            del self._unanswered[key][attempt]

    def reported(self, server: str, bound: Bound) -> None:
        """Take what a server says of a url."""
        states = self._reported.setdefault(url_key(bound.url), {})
        states.pop(server, None)
        if bound.tree is not None:
            states[server] = bound

    def forget_server(self, server: str) -> None:
        """A new life of a server knows nothing of what the old one asked for."""
        for states in self._reported.values():
            states.pop(server, None)

    def shot_of(self, url: str) -> ShotKey | None:
        """Return the shot that the url is bound to."""
        key = url_key(url)
        for attempt in self._unanswered.get(key, ()):
            return ShotKey(attempt.tree, attempt.shot)
        for bound in self._reported.get(key, {}).values():
            # What is merely under way is among our own attempts, or has just ended.
            if bound.tree is not None and bound.shot is not None and bound.abandoned + bound.lost:
                return ShotKey(bound.tree, bound.shot)
        return None

    def is_free_for(self, url: str, shot: ShotKey) -> bool:
        """Return whether the url may work for this shot now."""
        return self.shot_of(url) in (None, shot)

    def clear(self, url: str, is_running: Callable[[AttemptId], bool]) -> list[AttemptId]:
        """Somebody vouches that nothing given up runs there. Return the attempts forgotten.

        Those that still run by our own knowledge stay.
        """
        key = url_key(url)
        forgotten = [one for one in self._unanswered.get(key, ()) if not is_running(one)]
        for attempt in forgotten:
            self.answered(attempt)
        self._reported.pop(key, None)
        return forgotten

    def states_of(self, server: str) -> tuple[Bound, ...]:
        """Return what a server has said of the urls that are not free."""
        return tuple(states[server] for states in self._reported.values() if server in states)

    def servers_at(self, url: str) -> tuple[str, ...]:
        """Return the servers that have something unanswered at the url."""
        return tuple(self._reported.get(url_key(url), ()))

    def known(self) -> tuple[str, ...]:
        """Return the urls that are bound, as their users spell them."""
        return tuple(
            sorted(key for key in {*self._unanswered, *self._reported} if self.shot_of(key))
        )


def in_words(bound: Bound) -> str:
    """Return what a url is busy with, for people."""
    waiting = f"; {bound.waiting} for other shots wait" if bound.waiting else ""
    return f"{bound}{waiting}"
