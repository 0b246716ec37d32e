"""How often somebody may try a password: after some failures each takes longer. Pure."""

from dataclasses import dataclass
from typing import Final

FREE: Final = 5  # failures that cost nothing: people mistype
FORGOTTEN_S: Final = 900.0
ADDRESS_WAIT_S_MAX: Final = 300.0
USER_WAIT_S_MAX: Final = 10.0  # short, or a stranger could keep somebody out
KEPT_MAX: Final = 10_000


@dataclass(slots=True)
class _Failures:
    number: int = 0
    last_at: float = 0.0
    free_at: float = 0.0


class Throttle:
    """Counts the failures of each address and of each user name. Times are monotonic."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], _Failures] = {}

    def wait_s(self, now: float, address: str, user: str) -> float:
        """Return how long they have to wait for the next try; 0: now."""
        known = (self._failures.get(key) for key in (("address", address), ("user", user)))
        return max(0.0, *(one.free_at - now for one in known if one is not None), 0.0)

    def failed(self, now: float, address: str, user: str) -> None:
        """Take that a password was wrong."""
        for key, longest in (
            (("address", address), ADDRESS_WAIT_S_MAX),
            (("user", user), USER_WAIT_S_MAX),
        ):
            one = self._failures.pop(key, _Failures())
            if now - one.last_at > FORGOTTEN_S:
                one = _Failures()
            one.number += 1
            one.last_at = now
            if one.number >= FREE:
                one.free_at = now + min(longest, 2.0 ** min(one.number - FREE, 30))
            self._failures[key] = one  # the last at the end
        while len(self._failures) > KEPT_MAX:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, user: str) -> None:
        """Take that a password was right. Those of the address count on: it may try many users."""
        self._failures.pop(("user", user), None)
