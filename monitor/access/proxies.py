"""Reverse proxies that are believed: what they say of who asks, and nobody else. Pure."""

import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final

from shotline.common.accounts import Role
from shotline.common.base import Value
from shotline.common.settings.sections.monitor import AccessSection

SECRET_HEADER: Final = "X-Shotline-Proxy"
_RANKS: Final = tuple(Role)


class Said(Value):
    """What is known of a request's way. `user` None: nobody is vouched for."""

    address: str
    secure: bool
    user: str | None = None
    groups: tuple[str, ...] = ()


class Proxies:
    """The proxies of a configuration. `secret`: what they show, too, where one is configured."""

    def __init__(self, settings: AccessSection, secret: str | None = None) -> None:
        self._settings = settings
        self._secret = secret
        self._networks = [ipaddress.ip_network(one) for one in settings.proxies]

    def said(self, peer: str, headers: Mapping[str, str], *, secure: bool) -> Said:
        """Return where a request came from, by its connection and, if that is a proxy's, by it."""
        if not self._are_believed(peer, headers):
            return Said(peer, secure)
        settings = self._settings
        user = headers.get(settings.user_header) if settings.user_header else None
        groups = headers.get(settings.groups_header, "") if settings.groups_header else ""
        scheme = headers.get("X-Forwarded-Proto", "").strip().lower()
        return Said(
            address=self._origin(headers.get("X-Forwarded-For", ""), peer),
            secure=scheme == "https" if scheme else secure,
            user=user.strip()[:256] or None if user else None,
            groups=tuple(filter(None, (one.strip() for one in groups.split(",")))),
        )

    def role_of(self, groups: tuple[str, ...]) -> Role | None:
        """Return the highest role that these groups have, None for no role at all."""
        known = self._settings.groups
        roles = [known[name] for name in (*groups, "*") if name in known]
        return max(roles, key=_RANKS.index, default=None)

    def is_proxy(self, address: str) -> bool:
        """Return whether an address is one of a proxy that is configured."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network for network in self._networks)

    def _are_believed(self, peer: str, headers: Mapping[str, str]) -> bool:
        if not self.is_proxy(peer):
            return False
        if self._secret is None:
            return True
        shown = headers.get(SECRET_HEADER, "")
        return hmac.compare_digest(shown.encode(), self._secret.encode())

    def _origin(self, forwarded: str, peer: str) -> str:
        """Return the last address that no proxy of ours has: what precedes it anybody may write."""
        for step in reversed([one.strip() for one in forwarded.split(",") if one.strip()]):
            if not self.is_proxy(step):
                return step[:64]
        return peer
