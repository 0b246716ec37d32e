"""Logins, their end, and control, over HTTP."""

import logging
import secrets
import time

from shotline.common.messages import Outcome
from shotline.common.scopes import Scope
from shotline.monitor.access.gate import Gate, key_of
from shotline.monitor.access.identity import Identity, Refusal
from shotline.monitor.access.models import (
    ControlRequest,
    ControlView,
    EndedAnswer,
    EndSessionsRequest,
    LoginRequest,
    LogoutRequest,
    MeAnswer,
    SessionsAnswer,
    SessionView,
)
from shotline.monitor.access.sessions import Login
from shotline.monitor.http.api import Handler, keep_cookie
from shotline.monitor.messages import plain
from shotline.monitor.names import SYSTEM

log = logging.getLogger(__name__)


class LoginHandler(Handler):
    """Somebody logs in."""

    async def post(self) -> None:
        """Begin a session; its secret is in a cookie that scripts cannot read."""
        request = self.body_as(LoginRequest)
        gate = self.services.gate
        secret = await gate.log_in(gate.asked(self.request), request.user, request.password)
        if isinstance(secret, Refusal):
            self.refuse_who(secret)
            return
        names, secure = gate.cookies(self.request)
        keep_cookie(self, names.session, secret, secure=secure, is_secret=True)
        keep_cookie(self, names.xsrf, secrets.token_urlsafe(32), secure=secure)
        self.answer(MeAnswer(user=request.user, login=True))


class LogoutHandler(Handler):
    """Somebody logs out."""

    def post(self) -> None:
        """End the session of whoever asks."""
        self.body_as(LogoutRequest)
        gate = self.services.gate
        who, lease = self.who, gate.lease
        if who is not None and lease is not None and lease.release(time.time(), who):
            gate.notes.add(who.behalf, time.time(), "give_control")
        gate.log_out(gate.asked(self.request))
        names, secure = gate.cookies(self.request)
        keep_cookie(self, names.session, "", secure=secure, is_secret=True)
        self.answer(MeAnswer(login=True))


class MeHandler(Handler):
    """Who asks."""

    def get(self) -> None:
        """Answer who asks, and what they may."""
        gate = self.services.gate
        who = self.who
        self.answer(
            MeAnswer(
                user=who.name if who else "",
                role=who.role if who and who.scopes is None else None,
                via=who.via if who else "nobody",
                may=tuple(scope for scope in Scope if who and who.may(scope)),
                login=gate.settings.access.users_file is not None,
                control=_control(gate, who),
            )
        )


class SessionsHandler(Handler):
    """The logins that there are."""

    def get(self) -> None:
        """List them."""
        shown = (
            SessionView(
                number=one.number,
                user=one.user,
                address=one.address,
                began_at=one.began_at,
                seen_at=one.seen_at,
                mine=self.who is not None and self.who.key == key_of(one),
            )
            for one in self.services.gate.sessions.listed()
        )
        self.answer(SessionsAnswer(sessions=tuple(shown)))


class EndSessionsHandler(Handler):
    """The end of logins, by an administrator."""

    def post(self) -> None:
        """End some."""
        request = self.body_as(EndSessionsRequest)
        assert self.who is not None

        def meant(one: Login) -> bool:
            return one.number == request.number or one.user == request.user

        self.answer(EndedAnswer(ended=self.services.gate.revoke(self.who, meant)))


class ControlHandler(Handler):
    """Who controls the experiment, where one person at a time does."""

    def post(self) -> None:
        """Take the control, or give it back."""
        request = self.body_as(ControlRequest)
        gate, who = self.services.gate, self.who
        assert who is not None
        if gate.lease is None:
            self.refuse(409, Outcome.REFUSED, "everybody has the control here: there is no lease")
            return
        held = gate.lease.held(time.time())
        if request.take:
            if held is not None and held.by.key != who.key and not request.over:
                self.refuse(409, Outcome.REFUSED, f"{held.by} has the control; take it over")
                return
            before = gate.lease.take(time.time(), who)
            over = f" over from {before.by}" if before else ""
            gate.notes.add(who.behalf, time.time(), "take_control", message=over.strip())
            self._tell(who, f"has taken the control{over}")
        elif gate.lease.release(time.time(), who):
            gate.notes.add(who.behalf, time.time(), "give_control")
            self._tell(who, "has given the control back")
        self.answer(_control(gate, who) or ControlView())

    def _tell(self, who: Identity, what: str) -> None:
        words = f"{who} {what}"
        log.warning("%s", words)
        self.services.follower.say("warning", "control", words)
        self.services.readers.channels.publish(
            SYSTEM, plain("CONTROL", time.time(), {"text": words}), "control"
        )
        self.services.readers.pump_soon()


def _control(gate: Gate, who: Identity | None) -> ControlView | None:
    if gate.lease is None:
        return None
    held = gate.lease.held(time.time())
    if held is None:
        return ControlView()
    mine = who is not None and who.key == held.by.key
    return ControlView(by=str(held.by), since=held.since, mine=mine)
