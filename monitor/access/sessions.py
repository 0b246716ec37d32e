"""Sessions of people who have logged in: how long they last, and their end before that. Pure.

Of a session's secret only a digest is kept. Times are wall clock, seconds since 1970: sessions
outlive the monitor's process.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from shotline.common.accounts import digest_of
from shotline.common.base import Struct, Value

SAVED_EVERY_S: Final = 60.0  # how far the time of the last request may be behind in the file


class Login(Struct):
    """One login."""

    number: int
    digest: str
    user: str
    password: str  # a digest of what the user's password was checked by: another ends it
    address: str
    began_at: float
    seen_at: float


class Lasting(Value):
    """How long sessions last, and how many there may be."""

    session_s: float = 12 * 3600.0
    idle_s: float = 3600.0
    sessions_max: int = 1000


class Sessions:
    """All sessions. `changed` tells that they are to be written."""

    def __init__(self, lasting: Lasting) -> None:
        self.lasting = lasting
        self.changed = False
        self._by_digest: dict[str, Login] = {}
        self._digests: dict[int, str] = {}  # by number
        self._number = 0

    def begin(self, now: float, secret: str, user: str, password: str, address: str) -> Login:
        """Begin one; of very many that which was not used for longest is ended."""
        while len(self._by_digest) >= self.lasting.sessions_max:
            self._forget(min(self._by_digest.values(), key=lambda one: one.seen_at))
        self._number += 1
        made = Login(
            number=self._number,
            digest=digest_of(secret),
            user=user,
            password=digest_of(password),
            address=address,
            began_at=now,
            seen_at=now,
        )
        self._keep(made)
        self.changed = True
        return made

    def find(self, now: float, secret: str) -> Login | None:
        """Return the session of a secret that somebody shows, as used now."""
        return self._used(now, self._by_digest.get(digest_of(secret)))

    def use(self, now: float, number: int) -> Login | None:
        """Return a session as used now; None when it has ended."""
        return self._used(now, self._by_digest.get(self._digests.get(number, "")))

    def _used(self, now: float, found: Login | None) -> Login | None:
        if found is None or self._is_over(now, found):
            return None
        used = self._by_digest[found.digest] = msgspec.structs.replace(found, seen_at=now)
        self.changed = self.changed or now - found.seen_at >= SAVED_EVERY_S
        return used

    def end(self, which: Callable[[Login], bool]) -> list[Login]:
        """End sessions; return those that were ended."""
        ended = [one for one in self._by_digest.values() if which(one)]
        for one in ended:
            self._forget(one)
        self.changed = self.changed or bool(ended)
        return ended

    def tick(self, now: float) -> None:
        """End what has lasted long enough."""
        self.end(lambda one: self._is_over(now, one))

    def listed(self) -> list[Login]:
        """Return all, the first first."""
        return sorted(self._by_digest.values(), key=lambda one: one.number)

    def _keep(self, one: Login) -> None:
        self._by_digest[one.digest] = one
        self._digests[one.number] = one.digest

    def _forget(self, one: Login) -> None:
        del self._by_digest[one.digest]
        del self._digests[one.number]

    def _is_over(self, now: float, one: Login) -> bool:
        last_s = min(one.began_at + self.lasting.session_s, one.seen_at + self.lasting.idle_s)
        return now >= last_s or now < one.began_at - self.lasting.idle_s  # the clock was set back

    def text(self) -> str:
        """Return them as they are written."""
        self.changed = False
        return msgspec.json.encode(self.listed()).decode()

    def take(self, text: str) -> None:
        """Take what was written by a monitor before; what cannot be read is none."""
        try:
            stored = msgspec.json.decode(text, type=tuple[Login, ...])
        except msgspec.DecodeError:
            return
        for one in stored:
            self._keep(one)
            self._number = max(self._number, one.number)
