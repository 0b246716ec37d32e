"""What is taken and answered over HTTP about logins and control. Pure."""

from typing import Annotated

from pydantic import Field

from shotline.common.accounts import Role
from shotline.common.base import Struct
from shotline.common.scopes import Scope
from shotline.common.settings.model import Model
from shotline.monitor.access.identity import By


class LoginRequest(Model):
    """A user name and password."""

    user: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class LogoutRequest(Model):
    """Nothing has to be said for it."""


class ControlView(Struct):
    """Who has the control, where one person at a time may change anything."""

    by: str = ""  # "": nobody
    since: float | None = None
    mine: bool = False


class MeAnswer(Struct):
    """Who asks, and what they may."""

    user: str = ""  # "": nobody who is known
    role: Role | None = None
    via: By = "nobody"
    may: tuple[Scope, ...] = ()
    login: bool = False  # whether one can log in here
    control: ControlView | None = None


class ControlRequest(Model):
    """Take the control, or give it back; `over`: also from somebody else, who is named."""

    take: bool
    over: bool = False


class SessionView(Struct):
    """A login."""

    number: int
    user: str
    address: str
    began_at: float
    seen_at: float
    mine: bool = False  # of who asks


class SessionsAnswer(Struct):
    """The logins that there are."""

    sessions: tuple[SessionView, ...]


class EndSessionsRequest(Model):
    """End one login, or all of a user."""

    number: int | None = None
    user: Annotated[str, Field(max_length=64)] | None = None


class EndedAnswer(Struct):
    """How many logins were ended."""

    ended: int
