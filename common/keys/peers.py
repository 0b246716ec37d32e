"""Who may connect to the broker, and as what: roles, and the keys that have them. Pure.

A key is a CURVE key pair. The broker knows the public keys with their roles; each peer has a file
with its own pair and the broker's public key, so that both ends prove who they are.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final

import msgspec
from msgspec import Meta, structs

from shotline.common.base import Struct
from shotline.common.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,96}", re.ASCII)
ANY_CLASS: Final = "*"
BROKER: Final = "broker"
"""The name of the broker's own key."""
NEXT: Final = "broker.next"
"""The name of the key that follows it, while it is rotated."""


class PeerRole(StrEnum):
    """What a peer is to the broker."""

    SERVER = "server"  # of the classes that its key names
    DISPATCHER = "dispatcher"
    MONITOR = "monitor"  # passes operators' commands on; who they are is the page's business
    PROVIDER = "provider"  # starts servers on demand
    WATCHER = "watcher"  # announces what arrives on volumes
    OPERATOR = "operator"
    VIEWER = "viewer"  # sees everything, changes nothing


_Public = Annotated[str, Meta(pattern=r"^[ -~]{40}$")]
"""A key as libzmq writes it: Z85, 40 characters."""


class AuthorisedKey(Struct):
    """A public key that the broker knows. `classes`: patterns of a server's, with commas."""

    name: str
    role: PeerRole
    public: _Public
    classes: str = ""
    created_at: float  # seconds since 1970
    revoked_at: float | None = None


class AuthorisedKeys(Struct):
    """All public keys that the broker knows, those that were revoked, too."""

    keys: tuple[AuthorisedKey, ...] = ()

    def of_public(self, public: str) -> AuthorisedKey | None:
        """Return who has this key, None where nobody has, or it was revoked."""
        found = (one for one in self.keys if one.public == public and one.revoked_at is None)
        return next(found, None)

    def named(self, name: str) -> AuthorisedKey | None:
        """Return the key in use that has this name."""
        found = (one for one in self.keys if one.name == name and one.revoked_at is None)
        return next(found, None)

    def with_key(self, key: AuthorisedKey) -> "AuthorisedKeys":
        """Return them with one more. Raise ConfigError when the name is in use."""
        if self.named(key.name) is not None:
            raise ConfigError(
                f"there is a key {key.name} already; revoke it first (shotline keys revoke "
                f"{key.name}), or take another name"
            )
        return AuthorisedKeys(keys=(*self.keys, key))

    def without(self, name: str, at: float) -> "AuthorisedKeys":
        """Return them with this one revoked. Raise ConfigError when there is none."""
        key = self.named(name)
        if key is None:
            raise ConfigError(f"there is no key {name} in use; `shotline keys list` shows all")
        revoked = structs.replace(key, revoked_at=at)
        return AuthorisedKeys(keys=tuple(revoked if one is key else one for one in self.keys))

    def text(self) -> str:
        """Return the file's text."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"


class PeerKey(Struct):
    """A peer's key file: its key pair, what it is for, and the broker's public key.

    In the broker's own `role` is None, and `broker` its own public key. `also`: what else the
    broker's public key may be, while that is rotated.
    """

    name: str
    role: PeerRole | None = None
    classes: str = ""
    public: _Public
    secret: _Public
    broker: _Public
    also: tuple[_Public, ...] = ()

    def text(self) -> str:
        """Return the file's text."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"


def authorised_of(text: str, where: object) -> AuthorisedKeys:
    """Return the keys in the text of the broker's file. Raise ConfigError."""
    try:
        return msgspec.json.decode(text, type=AuthorisedKeys)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(f"{where} is no list of authorised keys: {error}") from None


def peer_key_of(text: str, where: object) -> PeerKey:
    """Return the key in the text of a key file. Raise ConfigError, which tells nothing of it."""
    try:
        return msgspec.json.decode(text, type=PeerKey)
    except (msgspec.MsgspecError, ValueError):
        raise ConfigError(
            f"{where} is no key file; `shotline keys new` or `bundle` writes one"
        ) from None


def check_key(name: str, role: PeerRole, classes: str) -> None:
    """Raise ConfigError where a key cannot be named so, or its role and classes do not fit."""
    if not NAME.fullmatch(name) or name in (BROKER, NEXT):
        raise ConfigError(
            f"a key cannot have the name {name!r}: letters, digits, '_', '.', ':' and '-', at most "
            f"97, and neither {BROKER} nor {NEXT}"
        )
    if (role is PeerRole.SERVER) != bool(classes):
        raise ConfigError(
            "a server's key is bound to its classes: give --classes PATTERN with --role server, "
            "and with no other role; '*' stands for all"
        )


def covers(classes: str, server: str) -> bool:
    """Return whether patterns of classes cover a server CLASS:ID; `A*,B:1` names also one ID."""
    server_class = server.partition(":")[0]
    return any(
        fnmatchcase(server if ":" in pattern else server_class, pattern)
        for pattern in _patterns(classes)
    )


def _patterns(classes: str) -> Iterable[str]:
    return filter(None, (pattern.strip() for pattern in classes.split(",")))
