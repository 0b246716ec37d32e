"""The files of keys: the folder of the broker's host, and how a program finds its own.

    keys/                  0700
        broker.key         0600, the broker's own pair
        broker.next.key    0600, the one that follows it, while it is rotated
        authorised.json    0600, the public keys that it lets in, with their roles
        NAME.key           0600, a peer's pair with the broker's public key

A peer's file is all that another host needs: `bundle` writes it. There it has the same name in that
host's own folder, or the configuration names it.
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import zmq
from msgspec import structs

from shotline.common.errors import ConfigError
from shotline.common.files.own import make_folder
from shotline.common.files.secret_file import read_secret, secret_of, write_secret
from shotline.common.keys.peers import (
    BROKER,
    NEXT,
    AuthorisedKey,
    AuthorisedKeys,
    PeerKey,
    PeerRole,
    authorised_of,
    check_key,
    peer_key_of,
)
from shotline.common.transport import CurveClient, CurveServer

if TYPE_CHECKING:
    from shotline.common.settings.sections.security import KeysSection

AUTHORISED: Final = "authorised.json"
CREDENTIAL: Final = "shotline_key"
BROKER_CREDENTIAL: Final = "shotline_broker_key"
SUFFIX: Final = ".key"


class Rotation(StrEnum):
    """How far the broker's key is rotated, in words."""

    NONE = "the broker's key is not being rotated"
    BEGUN = "the broker's next key is made, and its own is still the former one"
    SWITCHED = "the broker has another key from its next start on, and peers know the former, too"


_ROTATED_BY: Final = {
    Rotation.NONE: "`shotline keys rotate` begins it",
    Rotation.BEGUN: "carry the bundles to the other hosts, then `shotline keys rotate switch`",
    Rotation.SWITCHED: "start the broker anew, then `shotline keys rotate finish`",
}


class KeysFolder:
    """The keys of a site, on the broker's host. Everything raises ConfigError in words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authorised = folder / AUTHORISED

    @property
    def is_made(self) -> bool:
        """Whether there is a broker's key here, or this user may not look."""
        try:
            self.file_of(BROKER).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def file_of(self, name: str) -> Path:
        """Return the file of a key."""
        return self.folder / f"{name}{SUFFIX}"

    def make(self) -> None:
        """Make the folder and the broker's key."""
        if self.is_made:
            raise ConfigError(f"there are keys in {self.folder} already")
        try:
            make_folder(self.folder)
        except OSError as error:
            raise ConfigError(f"{self.folder} cannot be made: {error.strerror}") from None
        _give_to_owner_of(self.folder.parent, self.folder)
        self.check()
        self._write(self.authorised, AuthorisedKeys().text())
        public, secret = _key_pair()
        broker = PeerKey(name=BROKER, public=public, secret=secret, broker=public)
        self._write(self.file_of(BROKER), broker.text())

    def check(self) -> None:
        """Refuse a folder that others may use."""
        if problem := folder_problem(self.folder):
            raise ConfigError(problem)

    def read(self) -> AuthorisedKeys:
        """Return the keys that the broker lets in."""
        self.check()
        if not self.is_made:
            raise ConfigError(
                f"there are no keys in {self.folder}: `shotline keys init` makes the broker's"
            )
        return authorised_of(self._read(self.authorised), self.authorised)

    def new(self, name: str, role: PeerRole, classes: str = "") -> PeerKey:
        """Make a key for a peer, and let it in."""
        check_key(name, role, classes)
        before = self.read()
        broker = self.key(BROKER)
        public, secret = _key_pair()
        authorised = AuthorisedKey(
            name=name, role=role, public=public, classes=classes, created_at=time.time()
        )
        known = before.with_key(authorised)
        key = PeerKey(
            name=name,
            role=role,
            classes=classes,
            public=public,
            secret=secret,
            broker=broker.public,
            also=broker.also,
        )
        self._write(self.file_of(name), key.text())
        self._write(self.authorised, known.text())
        return key

    def revoke(self, name: str) -> None:
        """Let a key in no longer, and remove its file."""
        self._write(self.authorised, self.read().without(name, time.time()).text())
        with suppress(OSError):
            self.file_of(name).unlink()

    # Another key for the broker itself

    @property
    def rotation(self) -> Rotation:
        """How far the broker's key is rotated."""
        broker = self.key(BROKER)
        if not broker.also:
            return Rotation.NONE
        return Rotation.SWITCHED if self._next() is None else Rotation.BEGUN

    def rotate(self) -> list[str]:
        """Make the broker's next key, and tell it to the files of all peers.

        The broker's own is still what it was. Return the peers whose files are not here, and so
        not told.
        """
        self._require(Rotation.NONE)
        broker, following = self.key(BROKER), self._next()  # one is there after a kill
        if following is None:
            public, secret = _key_pair()
            following = PeerKey(name=NEXT, public=public, secret=secret, broker=public)
            self._write(self.file_of(NEXT), following.text())
        missing = self._tell_peers(broker.public, following.public)
        told = structs.replace(broker, also=(following.public,))
        self._write(self.file_of(BROKER), told.text())
        return missing

    def switch(self) -> list[str]:
        """Let the next key be the broker's own from its next start on; peers know both."""
        self._require(Rotation.BEGUN)
        broker, following = self.key(BROKER), self.key(NEXT)
        missing = self._tell_peers(following.public, broker.public)
        own = structs.replace(following, name=BROKER, also=(broker.public,))
        self._write(self.file_of(BROKER), own.text())
        self.file_of(NEXT).unlink()
        return missing

    def finish(self) -> list[str]:
        """Let all peers forget the key that the broker had."""
        self._require(Rotation.SWITCHED)
        broker = self.key(BROKER)
        missing = self._tell_peers(broker.public)
        self._write(self.file_of(BROKER), structs.replace(broker, also=()).text())
        self.file_of(NEXT).unlink(missing_ok=True)  # a kill may have left it
        return missing

    def _next(self) -> PeerKey | None:
        if not _is_there(self.file_of(NEXT)):
            return None
        found = self.key(NEXT)
        # It is both where a kill has come between.
        return None if found.public == self.key(BROKER).public else found

    def _require(self, rotation: Rotation) -> None:
        found = self.rotation
        if found is not rotation:
            raise ConfigError(f"{found.value}: {_ROTATED_BY[found]}")

    def _tell_peers(self, broker: str, *also: str) -> list[str]:
        """Write the broker's public keys into the files of peers. Return whose are not here."""
        missing = []
        for one in self.read().keys:
            if one.revoked_at is not None:
                continue
            if not _is_there(self.file_of(one.name)):
                missing.append(one.name)
                continue
            told = structs.replace(self.key(one.name), broker=broker, also=also)
            self._write(self.file_of(one.name), told.text())
        return missing

    def key(self, name: str) -> PeerKey:
        """Return a key of this folder."""
        self.check()
        file = self.file_of(name)
        return peer_key_of(self._read(file), file)

    def version(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the list of authorised keys does."""
        try:
            found = self.authorised.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self, file: Path) -> str:
        # Root reads those of the user that the daemons run as.
        return read_secret(file, is_guarded=os.geteuid() == 0)

    def _write(self, file: Path, text: str) -> None:
        write_secret(file, text)
        _give_to_owner_of(self.folder, file)


def folder_problem(folder: Path) -> str | None:
    """Return why keys may not be in this folder, None where they may."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"the folder {folder} cannot be looked at: {error.strerror}"
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return (
            f"others than its owner may use the folder {folder} (mode {mode:04o}), which holds "
            f"keys: chmod 700 {folder}"
        )
    if os.geteuid() not in (0, found.st_uid) and found.st_uid != 0:
        return f"the folder {folder}, which holds keys, belongs to another user ({found.st_uid})"
    return None


def read_key(file: Path) -> PeerKey:
    """Return the key in a file. Raise ConfigError, in words, where it cannot be used."""
    return peer_key_of(read_secret(file), file)


def own_key(section: "KeysSection", *names: str) -> CurveClient | None:
    """Return the key of a program: the one that the configuration names, else systemd's, else the
    first of these names in the folder; None: it has none.

    Raise ConfigError, in words, for one that cannot be used.
    """
    where = section.file or f"the credential {CREDENTIAL}"
    if secret_of(section.file, CREDENTIAL):
        return _curve_by(lambda: peer_key_of(secret_of(section.file, CREDENTIAL) or "", where))
    folder = KeysFolder(section.folder)
    for name in names:
        if _is_there(folder.file_of(name)):
            return _curve_by(partial(folder.key, name))
    if section.required:
        files = " or ".join(f"{name}{SUFFIX}" for name in names)
        text = f"there is no {files} in {folder.folder}"
        raise ConfigError(f"this program needs a key (keys.required), and {text}")
    return None


def brokers_key(section: "KeysSection") -> CurveServer | None:
    """Return the broker's own key; None: it has none, and lets everybody in. Raise ConfigError."""
    text = secret_of(None, BROKER_CREDENTIAL)
    folder = KeysFolder(section.folder)
    if text is None and not folder.is_made:
        if section.required:
            raise ConfigError(
                f"the broker needs a key (keys.required), and there is none in {folder.folder}: "
                "shotline keys init"
            )
        return None
    key = folder.key(BROKER) if text is None else peer_key_of(text, BROKER_CREDENTIAL)
    return CurveServer(key.public.encode(), key.secret.encode())


def curve_in(file: Path) -> CurveClient:
    """Return the key in a file as a socket takes it. Raise ConfigError."""
    return _curve_by(partial(read_key, file))


def curve_of(key: PeerKey) -> CurveClient:
    """Return a key as a socket takes it."""
    also = tuple(one.encode() for one in key.also)
    return CurveClient(
        key.public.encode(), key.secret.encode(), key.broker.encode(), key.name, also
    )


def _curve_by(read: Callable[[], PeerKey]) -> CurveClient:
    """Return a key that its socket reads again where the broker refuses it."""

    def again() -> CurveClient | None:
        try:
            return curve_of(read())
        except ConfigError:
            return None  # it is being replaced, or was removed

    return structs.replace(curve_of(read()), again=again)


def _is_there(file: Path) -> bool:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False  # another user's keys are not for us
    except OSError:
        return True
    return True


def _give_to_owner_of(folder: Path, file: Path) -> None:
    """Let what root makes belong to the user that the daemons run as."""
    if os.geteuid() == 0:
        with suppress(OSError):
            owner = folder.stat()
            os.chown(file, owner.st_uid, owner.st_gid)


def _key_pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()
