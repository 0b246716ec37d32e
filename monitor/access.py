"""Who may do what over HTTP: Host, Origin, the token of the page, and the role. Pure.

There is no login yet: everybody has the role that the configuration gives. A login decides the
role in `role_of`, and nothing else changes.
"""

import hmac
import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # change, too


COOKIE: Final = "_xsrf"
HEADER: Final = "X-XSRFToken"
_DEFAULT_PORTS: Final = (80, 443)  # which browsers leave out


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request says who asks from where."""

    host: str
    origin: str | None = None
    has_cookies: bool = False
    cookie_token: str | None = None
    header_token: str | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one monitor. `hosts` are names beside those of this machine."""

    port: int
    hosts: tuple[str, ...] = ()
    role: Role = Role.OPERATOR
    anywhere: bool = False  # any name, any origin: as the ReCodEx monitor has it

    def role_of(self, _asked: Asked) -> Role:
        """Return the role of whoever asks."""
        return self.role

    def refuses_reading(self, asked: Asked) -> str | None:
        """Return why a request may not be answered at all, None where it may."""
        if self.anywhere:
            return None
        if not self.is_ours(asked.host):
            return (
                f"this monitor is not known as {asked.host[:100]!r}: ask for it by its address, or "
                "name it under monitor.hosts in the configuration"
            )
        if asked.origin is not None and not self._same_origin(asked):
            return f"pages of {asked.origin[:100]!r} may not use this monitor"
        return None

    def refuses_change(self, asked: Asked) -> str | None:
        """Return why a request may change nothing, None where it may."""
        refused = self.refuses_reading(asked)
        if refused is not None:
            return refused
        if self.role_of(asked) is not Role.OPERATOR:
            return "the role viewer may only look (monitor.role in the configuration)"
        if asked.content_type.partition(";")[0].strip().lower() != "application/json":
            return "the body must be of Content-Type: application/json"
        from_browser = asked.origin is not None or asked.has_cookies
        if from_browser and not self._token_is_right(asked):
            return (
                f"the header {HEADER} does not carry the value of the cookie {COOKIE}: "
                "load the page again"
            )
        return None

    def is_ours(self, host: str) -> bool:
        """Return whether a Host header names this monitor.

        An address cannot be another site's name that was made to point here; a name can.
        """
        host = host.lower()
        if host in self.hosts:
            return True
        name = _without_port(host)
        if name in self.hosts or name == "localhost":
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _same_origin(self, asked: Asked) -> bool:
        assert asked.origin is not None
        # Behind a proxy the scheme is the proxy's business.
        scheme, separator, place = asked.origin.lower().partition("://")
        if not separator or scheme not in ("http", "https"):
            return False
        host = asked.host.lower()
        if place == host or place in self.hosts:
            return True
        # A proxy may have left the port out of Host; a browser that comes to us never does.
        direct = self.port in _DEFAULT_PORTS
        return not direct and _without_port(host) == host and _without_port(place) == host

    def _token_is_right(self, asked: Asked) -> bool:
        if not asked.cookie_token or not asked.header_token:
            return False
        return hmac.compare_digest(asked.cookie_token.encode(), asked.header_token.encode())


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return host if not port.isdecimal() or host.endswith("]") else name
