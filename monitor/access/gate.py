"""The gate: who asks, and whether they may, of what the files say now.

The rules of it are in the pure modules beside this one; here are the files, the clock, chance, and
the threads in which passwords are checked.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tornado.httputil import HTTPServerRequest

from shotline.common.accounts import Accounts, Role, User, accounts_of, digest_of
from shotline.common.binding import is_loopback
from shotline.common.errors import ConfigError
from shotline.common.files.own import make_folder
from shotline.common.files.secret_file import read_secret, write_secret
from shotline.common.machine import Instant
from shotline.common.messages import Via
from shotline.common.process.clocks import elapsed_s
from shotline.common.scopes import Scope
from shotline.common.settings.sections.monitor import MonitorSection
from shotline.monitor.access.awake import Awake
from shotline.monitor.access.identity import Identity, Refusal, behalf_of
from shotline.monitor.access.lease import Lease
from shotline.monitor.access.notes import Notes
from shotline.monitor.access.proxies import Proxies
from shotline.monitor.access.rules import HEADER, Asked, CookieNames, Rules, cookie_names
from shotline.monitor.access.sessions import Lasting, Login, Sessions
from shotline.monitor.access.throttle import Throttle

log = logging.getLogger(__name__)

CHECKS_AT_ONCE: Final = 2  # each takes some 64 MB for a moment
WAITING_MAX: Final = 20
_WRONG: Final = "the name or the password is wrong"


class Gate:
    """Knows who may do what at one monitor. `sessions_file` keeps logins over a restart."""

    def __init__(
        self, settings: MonitorSection, sessions_file: Path, *, insecure: bool = False
    ) -> None:
        access = settings.access
        self.settings = settings
        self.rules = Rules(settings.port, tuple(host.lower() for host in settings.hosts))
        self.lease = Lease(access.lease_idle_s) if access.lease else None
        self.sessions = Sessions(
            Lasting(access.session_s, access.session_idle_s, access.sessions_max)
        )
        self._insecure = insecure
        self._awake = Awake(elapsed_s())
        secret = access.proxy_secret_file
        self.proxies = Proxies(access, read_secret(secret) if secret else None)
        self._throttle = Throttle()
        self._checks = ThreadPoolExecutor(CHECKS_AT_ONCE, "password")
        self._waiting = 0
        self._users_file = access.users_file
        self._users_stat: tuple[int, int, int] | None = None
        self.accounts = Accounts()
        self.notes = Notes()
        if self._users_file is not None:
            self._users_stat = _state_of(self._users_file)
            self.accounts = _read(self._users_file)
        self._sessions_file = sessions_file if self._users_file is not None else None
        if self._sessions_file is not None and self._sessions_file.exists():
            with contextlib.suppress(ConfigError):
                self.sessions.take(read_secret(self._sessions_file))

    # Who asks

    def asked(self, request: HTTPServerRequest) -> Asked:
        """Return what a request says of who asks."""
        headers = request.headers
        peer = request.connection.context.address[0]  # type: ignore[union-attr]
        said = self.proxies.said(peer, headers, secure=request.protocol == "https")
        names = cookie_names(secure=said.secure)
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        return Asked(
            host=request.host,
            origin=headers.get("Origin"),
            has_cookies="Cookie" in headers,
            cookie_token=_cookie(request, names.xsrf),
            header_token=headers.get(HEADER),
            content_type=headers.get("Content-Type", ""),
            fetch_site=headers.get("Sec-Fetch-Site"),
            fetch_mode=headers.get("Sec-Fetch-Mode"),
            peer=peer,
            address=said.address,
            secure=said.secure,
            bearer=bearer.strip() if scheme.lower() == "bearer" else None,
            session=_cookie(request, names.session),
            vouched_user=said.user,
            vouched_groups=said.groups,
        )

    def cookies(self, request: HTTPServerRequest) -> tuple[CookieNames, bool]:
        """Return what cookies are called for who asks, and whether they are for HTTPS alone."""
        secure = self.asked(request).secure
        return cookie_names(secure=secure), secure

    def admit(
        self, request: HTTPServerRequest, scope: Scope | None, *, changes: bool
    ) -> Identity | Refusal | None:
        """Return who asks, or why they may not; None: nobody who is known, and none need be."""
        asked = self.asked(request)
        needs_token = changes and asked.bearer is None
        refused = self.rules.refuses_change(asked) if needs_token else self.rules.refuses(asked)
        if refused is not None:
            return Refusal(403, refused)
        who = self.identify(asked)
        if scope is None:
            return None if isinstance(who, Refusal) else who
        if isinstance(who, Refusal):
            return who
        if not who.may(scope):
            return Refusal(403, _lacks(who, scope), who=who)
        return who

    def identify(self, asked: Asked) -> Identity | Refusal:
        """Return who asks: by a token, by a proxy's word, by a login, or nobody in particular."""
        self._look_at_users()
        if asked.bearer is not None:
            return self._by_token(asked)
        if asked.vouched_user is not None:
            return self._by_proxy(asked, asked.vouched_user)
        if asked.session is not None and (found := self._by_session(asked)) is not None:
            return found
        return self._nobody(asked)

    def _by_token(self, asked: Asked) -> Identity | Refusal:
        token = self.accounts.token_of(asked.bearer or "")
        if token is None:
            return Refusal(401, "the token is unknown")
        if time.time() >= token.expires_at:
            return Refusal(401, f"the token {token.name} has expired")
        return Identity(
            token.name,
            Role.ADMINISTRATOR,
            "token",
            f"token:{token.name}",
            asked.address,
            token.scopes,
        )

    def _by_proxy(self, asked: Asked, user: str) -> Identity | Refusal:
        role = self.proxies.role_of(asked.vouched_groups)
        if role is None:
            return Refusal(403, f"{user[:80]} is in no group that may use this monitor")
        return Identity(user, role, "proxy", f"proxy:{user}", asked.address)

    def _by_session(self, asked: Asked) -> Identity | None:
        session = self.sessions.find(time.time(), asked.session or "")
        user = self._user_of(session)
        if session is None or user is None:
            return None
        return Identity(user.name, user.role, "session", key_of(session), asked.address)

    def _user_of(self, session: Login | None) -> User | None:
        """Return whose session it is; None where the user is gone or has another password."""
        user = self.accounts.users.get(session.user) if session is not None else None
        if session is None or user is None or session.password != digest_of(user.password):
            return None
        return user

    def _nobody(self, asked: Asked) -> Identity | Refusal:
        role = self.settings.anonymous
        if role is None:
            over = asked.session is not None
            return Refusal(401, "the login has ended: log in again" if over else "log in first")
        browser = digest_of(asked.cookie_token)[-16:] if asked.cookie_token else ""
        return Identity("", role, "nobody", f"nobody:{asked.address}:{browser}", asked.address)

    def still(self, who: Identity, since: float) -> bool:
        """Return whether somebody who was let in may still look on; it counts as use.

        `since`, monotonic: a proxy is asked for its word again after the time of a login.
        """
        self._look_at_users()
        match who.via:
            case "token":
                token = self.accounts.tokens.get(who.name)
                return token is not None and time.time() < token.expires_at
            case "session":
                number = int(who.key.partition(":")[2])
                return self._user_of(self.sessions.use(time.time(), number)) is not None
            case "proxy":
                return time.monotonic() - since < self.settings.access.session_s
            case _:
                return True

    # Control

    def refuses_old(self, who: Identity) -> Refusal | None:
        """Return why nothing is changed now, where it may have been asked long ago."""
        why = self._awake.refuses(elapsed_s())
        return None if why is None else Refusal(409, why, 1, who)

    def refuses_control(self, who: Identity) -> Refusal | None:
        """Return why somebody may change nothing now, where one person at a time may."""
        why = self.lease.refuses(time.time(), who) if self.lease is not None else None
        return None if why is None else Refusal(409, why, who=who)

    # Logins

    async def log_in(self, asked: Asked, name: str, password: str) -> str | Refusal:
        """Return the secret of a new session, or why there is none."""
        user = await self._known(asked, name, password)
        if isinstance(user, Refusal):
            behalf = behalf_of(name, asked.address, Via.LOGIN)
            self.notes.refused(_instant(), behalf, "login", message=user.text)
            return user
        self._throttle.succeeded(name)
        if asked.session is not None:
            self.log_out(asked)
        secret = secrets.token_urlsafe(32)
        self.sessions.begin(time.time(), secret, name, user.password, asked.address)
        log.info("%s (%s) has logged in from %s", name, user.role, asked.address)
        self._note(name, asked.address, "login", message=f"as {user.role}")
        self._save()
        return secret

    async def _known(self, asked: Asked, name: str, password: str) -> User | Refusal:
        """Return the user whose name and password these are, or why they may not log in."""
        if self._users_file is None:
            return Refusal(409, "nobody logs in here: the configuration names no users_file")
        if not asked.secure and not is_loopback(asked.address) and not self._insecure:
            return Refusal(403, "a password is only taken over HTTPS")
        now = time.monotonic()
        wait_s = self._throttle.wait_s(now, asked.address, name)
        if wait_s > 0 or self._waiting >= WAITING_MAX:
            return Refusal(429, "too many failures: try again later", max(1, round(wait_s + 0.5)))
        self._look_at_users()
        user = self.accounts.users.get(name)
        if not await self._is_right(user, password):
            self._throttle.failed(time.monotonic(), asked.address, name)
            log.warning("a login as %.64r from %s failed", name, asked.address)
            return Refusal(401, _WRONG)
        assert user is not None
        return user

    def log_out(self, asked: Asked) -> bool:
        """End the session that is asked in; return whether there was one."""
        digest = digest_of(asked.session or "")
        ended = self.sessions.end(lambda one: one.digest == digest)
        for one in ended:
            log.info("%s has logged out", one.user)
            self._note(one.user, asked.address, "logout")
        self._save()
        return bool(ended)

    def revoke(self, who: Identity, which: Callable[[Login], bool]) -> int:
        """End sessions of others; return how many there were."""
        ended = self.sessions.end(which)
        for one in ended:
            log.warning("%s has ended session %d of %s", who, one.number, one.user)
            text = f"the login of {one.user} at {one.address}"
            self.notes.add(who.behalf, time.time(), "end_session", message=text)
        self._save()
        return len(ended)

    def _is_right(self, user: User | None, password: str) -> Awaitable[bool]:
        stored = _NOBODYS if user is None else user.password
        self._waiting += 1
        checked = asyncio.get_running_loop().run_in_executor(
            self._checks, _fits, stored, password, user is not None
        )
        checked.add_done_callback(lambda _: self._less())
        return checked

    def _less(self) -> None:
        self._waiting -= 1

    # Files

    def tick(self) -> None:
        """End what has lasted long enough, and keep what there is."""
        self._awake.look(elapsed_s())
        self.sessions.tick(time.time())
        self._look_at_users()
        self._save()

    def close(self) -> None:
        """Keep what there is."""
        self._save()
        self._checks.shutdown(wait=False, cancel_futures=True)

    def _look_at_users(self) -> None:
        """Read the file of users again where it has changed: what is revoked ends at once."""
        if self._users_file is None or (state := _state_of(self._users_file)) == self._users_stat:
            return
        self._users_stat = state
        try:
            self.accounts = Accounts() if state is None else _read(self._users_file)
        except ConfigError as error:
            log.error("the users are still those of before: %s", error)
            return
        if state is None:
            log.error("there is no file of users any more, and so nobody: %s", self._users_file)
        else:
            log.info("the file of users was read again: %s", self._users_file)
        for one in self.sessions.end(lambda one: self._user_of(one) is None):
            text = f"the login at {one.address}: the user is gone, or has another password"
            self._note(one.user, "", "end_session", message=text)

    def _note(self, user: str, address: str, what: str, message: str = "") -> None:
        behalf = behalf_of(user, address, Via.LOGIN)
        self.notes.add(behalf, time.time(), what, message=message)

    def _save(self) -> None:
        if self._sessions_file is None or not self.sessions.changed:
            return
        try:
            make_folder(self._sessions_file.parent)
            write_secret(self._sessions_file, self.sessions.text())
        except (ConfigError, OSError) as error:
            log.error("logins will not outlive this monitor: %s", error)


class Anyone:
    """A gate that stands open: everybody may look, and nobody may change anything."""

    def admit(self, request: HTTPServerRequest, scope: Scope | None, *, changes: bool) -> Identity:  # noqa: ARG002
        """Let everybody in."""
        return Identity("", Role.VIEWER, "nobody", "nobody")

    def still(self, who: Identity, since: float) -> bool:  # noqa: ARG002
        """Let them stay."""
        return True


def _instant() -> Instant:
    return Instant(time.monotonic(), time.time())


def _lacks(who: Identity, scope: Scope) -> str:
    if who.via == "token":
        return f"the token {who.name} is not for {scope}"
    if who.via == "nobody":
        return f"the role {who.role} may only look (monitor.role in the configuration): log in"
    return f"the role {who.role} of {who.name} does not allow this"


def key_of(session: Login) -> str:
    """Return the key of whoever asks in a session."""
    return f"session:{session.number}"


def _cookie(request: HTTPServerRequest, name: str) -> str | None:
    found = request.cookies.get(name)
    return None if found is None else found.value


def _read(file: Path) -> Accounts:
    try:
        return accounts_of(read_secret(file))
    except ConfigError as error:
        raise ConfigError(f"users_file: {error}") from None


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116  # once for each request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


# Of no password: checking it takes as long as that of somebody who is there.
_NOBODYS: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$c2hvdGxpbmUtbm9ib2R5cw$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def _fits(stored: str, password: str, exists: bool) -> bool:  # noqa: FBT001
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        PasswordHasher().verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False
    return exists
