"""Who asks, and what that allows. Pure."""

from typing import Final, Literal

from shotline.common.accounts import Role
from shotline.common.base import Value
from shotline.common.messages import Behalf, Via
from shotline.common.scopes import Scope

By = Literal["nobody", "session", "token", "proxy"]

_NAME_MAX: Final = 256
_ADDRESS_MAX: Final = 128
_VIAS: Final[dict[By, Via]] = {
    "nobody": Via.PAGE,
    "session": Via.LOGIN,
    "token": Via.TOKEN,
    "proxy": Via.PROXY,
}


class Identity(Value):
    """Somebody who asks. `key` tells them from others while they come by this way."""

    name: str
    role: Role
    via: By
    key: str
    address: str = ""
    scopes: frozenset[Scope] | None = None  # of a token; None: all that the role may

    def may(self, scope: Scope) -> bool:
        """Return whether they may do what is in a scope."""
        return self.role.may(scope) and (self.scopes is None or scope in self.scopes)

    @property
    def behalf(self) -> Behalf:
        """For whom the monitor gives commands then."""
        return behalf_of(self.name, self.address, _VIAS[self.via])

    def __str__(self) -> str:
        return f"{self.name or 'somebody'} at {self.address}" if self.address else self.name


def behalf_of(name: str, address: str, via: Via = Via.PAGE) -> Behalf:
    """Return somebody at an address, as far as they are known."""
    return Behalf(name=name[:_NAME_MAX], via=via, address=address[:_ADDRESS_MAX])


class Refusal(Value):
    """Why somebody may not: the HTTP status, and words for people."""

    status: Literal[400, 401, 403, 409, 429]
    text: str
    retry_after_s: int = 0
    who: Identity | None = None  # where that is known
