"""Where a request comes from: Host, Origin, Fetch-Metadata, and the token of the page. Pure.

Who asks, and what they may, is `gate`'s; this keeps pages of other sites, and names that were made
to point here, from asking in somebody's place.
"""

import hmac
import ipaddress
from typing import Final

from shotline.common.base import Value

HEADER: Final = "X-XSRFToken"
_DEFAULT_PORTS: Final = (80, 443)  # which browsers leave out
_OWN_SITE: Final = ("same-origin", "none")  # none: somebody has typed it


class CookieNames(Value):
    """What our cookies are called. `__Host-` is kept by browsers from all but this very host."""

    xsrf: str
    session: str


_PLAIN: Final = CookieNames("_xsrf", "shotline")
_SECURE: Final = CookieNames("__Host-xsrf", "__Host-shotline")


def cookie_names(*, secure: bool) -> CookieNames:
    """Return the names for a page that came by HTTPS, or that did not."""
    return _SECURE if secure else _PLAIN


class Asked(Value):
    """What a request says of who asks from where. `peer` is at the other end of the connection."""

    host: str
    origin: str | None = None
    has_cookies: bool = False
    cookie_token: str | None = None
    header_token: str | None = None
    content_type: str = ""
    fetch_site: str | None = None
    fetch_mode: str | None = None
    peer: str = ""
    address: str = ""  # of who asks: beyond a proxy that is believed, what that says
    secure: bool = False  # whether it came to us, or to that proxy, by HTTPS
    bearer: str | None = None
    session: str | None = None
    vouched_user: str | None = None  # by a proxy that is believed
    vouched_groups: tuple[str, ...] = ()


class Rules(Value):
    """The rules of one monitor. `hosts` are names beside those of this machine."""

    port: int
    hosts: tuple[str, ...] = ()

    def refuses(self, asked: Asked) -> str | None:
        """Return why a request may not be answered at all, None where it may."""
        if not self.is_ours(asked.host):
            return (
                f"this monitor is not known as {asked.host[:100]!r}: ask for it by its address, or "
                "name it under monitor.hosts in the configuration"
            )
        if asked.origin is not None and not self._same_origin(asked):
            return f"pages of {asked.origin[:100]!r} may not use this monitor"
        # A link may lead here from anywhere; what it shows, the other site cannot read.
        from_elsewhere = asked.fetch_site is not None and asked.fetch_site not in _OWN_SITE
        if from_elsewhere and asked.fetch_mode != "navigate":
            return "pages of other sites may not use this monitor"
        return None

    def refuses_change(self, asked: Asked) -> str | None:
        """Return why a request may change nothing, None where it may."""
        refused = self.refuses(asked)
        if refused is not None:
            return refused
        if asked.fetch_site is not None and asked.fetch_site not in _OWN_SITE:
            return "pages of other sites may change nothing here"
        if asked.content_type.partition(";")[0].strip().lower() != "application/json":
            return "the body must be of Content-Type: application/json"
        from_browser = asked.origin is not None or asked.has_cookies
        if from_browser and not self._token_is_right(asked):
            return (
                f"the header {HEADER} does not carry the value of the cookie "
                f"{cookie_names(secure=asked.secure).xsrf}: load the page again"
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
