"""Who may use the page, and for what: roles of users, scopes of tokens, their file. Pure.

The file is written by `shotline users` and read by the monitor. A line is a user or a token:

    user anna operator $argon2id$v=19$…
    token grafana metrics,read 2027-01-01T00:00:00Z sha256:…

Neither passwords nor tokens stand in it, only what they are checked by.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import field
from msgspec.structs import replace

from shotline.common.base import Value
from shotline.common.errors import ConfigError
from shotline.common.scopes import Scope


class Role(StrEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # drive shots, start and end servers
    ADMINISTRATOR = "administrator"  # end the dispatcher, and sessions of others

    def may(self, scope: Scope) -> bool:
        """Return whether it may do what is in a scope."""
        return _ORDER.index(self) >= _ORDER.index(NEEDED[scope])


_ORDER: Final = tuple(Role)
NEEDED: Final = {
    Scope.READ: Role.VIEWER,
    Scope.METRICS: Role.VIEWER,
    Scope.PROPOSE: Role.VIEWER,
    Scope.COMMAND: Role.OPERATOR,
    Scope.RECORDS: Role.OPERATOR,
    Scope.SERVERS: Role.OPERATOR,
    Scope.ADMINISTER: Role.ADMINISTRATOR,
}
"""The least role that may do what is in a scope."""

TOKEN_PREFIX: Final = "shotline_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HEAD: Final = """\
# Who may use Shotline's page and its HTTP interface: made and changed by `shotline users`.
# It holds no passwords and no tokens, only what they are checked by.
"""


class User(Value):
    """Somebody who logs in. `password` is what argon2 has made of it."""

    name: str
    role: Role
    password: str


class Token(Value):
    """What a program may do that shows it, and until when (seconds since 1970)."""

    name: str
    scopes: frozenset[Scope]
    expires_at: float
    digest: str


class Accounts(Value):
    """The users and tokens of a file, each by its name."""

    users: Mapping[str, User] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)

    def with_user(self, user: User) -> "Accounts":
        """Return these with a user, who takes the place of one of this name."""
        return replace(self, users={**self.users, user.name: user})

    def with_token(self, token: Token) -> "Accounts":
        """Return these with a token, which takes the place of one of this name."""
        return replace(self, tokens={**self.tokens, token.name: token})

    def without(self, name: str) -> "Accounts":
        """Return these without the user or token of a name."""
        return Accounts(
            {one: user for one, user in self.users.items() if one != name},
            {one: token for one, token in self.tokens.items() if one != name},
        )

    def token_of(self, value: str) -> Token | None:
        """Return the token that somebody shows; it may have expired."""
        shown = digest_of(value)
        return next((one for one in self.tokens.values() if one.digest == shown), None)

    def text(self) -> str:
        """Return the file's text."""
        lines = [f"user {user.name} {user.role} {user.password}" for user in self.users.values()]
        lines += [
            f"token {one.name} {','.join(sorted(one.scopes))} {when(one.expires_at)} {one.digest}"
            for one in self.tokens.values()
        ]
        return _HEAD + "".join(f"{line}\n" for line in lines)


def accounts_of(text: str) -> Accounts:
    """Return what a file says. Raise ConfigError with the line that is wrong."""
    users: dict[str, User] = {}
    tokens: dict[str, Token] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            match line.split():
                case ["user", name, role, password]:
                    user = User(checked(name), Role(role), password)
                    _once(user.name, (users, tokens))
                    users[user.name] = user
                case ["token", name, scopes, expires, digest] if _DIGEST.fullmatch(digest):
                    token = Token(checked(name), scopes_of(scopes), _instant(expires), digest)
                    _once(token.name, (users, tokens))
                    tokens[token.name] = token
                case _:
                    raise ValueError("it is neither a user nor a token")
        except ValueError as error:
            raise ConfigError(f"line {number}: {error}") from None
    return Accounts(users, tokens)


def _once(name: str, known: Iterable[Mapping[str, object]]) -> None:
    if any(name in some for some in known):
        raise ValueError(f"{name} stands there twice")


def checked(name: str) -> str:
    """Return a name. Raise ValueError when nobody may be called so."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name: use letters, digits and _ . @ -")
    return name


def scopes_of(words: str) -> frozenset[Scope]:
    """Return the scopes that a text lists with commas. Raise ValueError."""
    try:
        return frozenset(Scope(word) for word in words.split(","))
    except ValueError:
        known = ", ".join(Scope)
        raise ValueError(f"{words[:80]!r} has an unknown scope; there are {known}") from None


def digest_of(value: str) -> str:
    """Return what a token is checked by: it is too long to be guessed, so a plain hash will do."""
    return f"sha256:{hashlib.sha256(value.encode(errors='replace')).hexdigest()}"


def when(at: float) -> str:
    """Return a time, seconds since 1970, as the file has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _instant(text: str) -> float:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} needs a time zone, as in 2027-01-01T00:00:00Z")
    return found.timestamp()
