"""What the doctor sees of the page: at the monitor, and through the proxies before it."""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from shotline import __version__
from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.common.settings.config import Config

ANSWER_S: Final = 5.0
_BODY_BYTES_MAX: Final = 64 * 1024
_FAILURES: Final = (OSError, http.client.HTTPException)
_UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2hvdGxpbmUtZG9jdG9yIQ==",  # any 16 bytes
}


def page(config: Config, address: str | None = None) -> Iterator[Finding]:
    """Look at the monitor, and at its page where browsers find it.

    That is at `address`, by default at each of the names that the configuration has for it.
    """
    yield from _monitor(config.monitor.page)
    if address is not None:
        yield from _through_proxy(address)
        return
    for host in config.monitor.hosts:
        addresses = (f"https://{host}/", f"http://{host}/")
        tried = [list(_through_proxy(one)) for one in addresses]
        good = next((one for one in tried if one[0].level == "ok"), tried[0])
        yield from good


def _monitor(address: str) -> Iterator[Finding]:
    try:
        # Its certificate is for the name that browsers use, not for this address.
        status, body = _ask(address, "readyz", context=_unverified())
    except _FAILURES as error:
        text = f"no monitor answers at {address}: {error}"
        yield warning(
            "page", text, "start it (systemctl start shotline-monitor), where there is one"
        )
        return
    missing = _missing(body) if status == 503 else None
    if missing:
        advice = "what it shows is old until that is there"
        yield warning("page", f"the monitor at {address} says: {missing}", advice)
    elif status in (200, 401):
        yield fine("page", f"the monitor answers at {address}")
    else:
        text = f"what answers at {address} ({status}) is no monitor of this version ({__version__})"
        yield problem("page", text, "see monitor.address and monitor.port")


def _through_proxy(address: str) -> Iterator[Finding]:
    """Look whether page, WebSockets and the name pass what stands before the monitor."""
    compare = "compare the proxy's configuration with etc/nginx.conf"
    try:
        status, body = _ask(address, "healthz")
        if status == 200 and b"ok" in body:
            status, body = _ask(address, "ws", _UPGRADE)
            told = f"does not pass WebSockets, so that nothing is live there: it answers {status}"
            advice = f"pass Upgrade and Connection on; {compare}"
        elif status == 401:
            text = f"{address} asks for a login: what is behind it was not looked at"
            yield warning("proxy", text, "look at it in a browser")
            return
        else:
            told, advice = f"is not the monitor's page: it answers {status}", compare
    except ssl.SSLError as error:
        text = f"{address}: {error.reason or error}"
        yield problem("proxy", text, "renew the certificate, or trust its authority")
        return
    except _FAILURES as error:
        yield problem("proxy", f"{address} does not answer: {error}", compare)
        return
    if status in (101, 401):  # 401: the monitor's own login
        yield fine("proxy", f"{address} passes the page and its WebSocket")
    elif status == 403:
        why = body.decode(errors="replace")[:300]
        advice = f"name it under monitor.hosts, and let the proxy pass Host on; {compare}"
        yield problem("proxy", f"{address} is refused by the monitor: {why}", advice)
    else:
        yield problem("proxy", f"{address} {told}", advice)


def _missing(body: bytes) -> str | None:
    """Return in words what a monitor that is not ready says is missing, None where it is none."""
    try:
        return "; ".join(json.loads(body)["missing"])
    except (ValueError, TypeError, KeyError):
        return None


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(
    address: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Return status and body of an answer to a page that comes from `address`."""
    parts = urlsplit(address)
    connection = (
        http.client.HTTPSConnection(parts.netloc, timeout=ANSWER_S, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.netloc, timeout=ANSWER_S)
    )
    try:
        sent = {**(headers or {}), "Origin": f"{parts.scheme}://{parts.netloc}"}
        connection.request("GET", f"{parts.path.rstrip('/')}/{path}", headers=sent)
        answer = connection.getresponse()
        return answer.status, b"" if answer.status == 101 else answer.read(_BODY_BYTES_MAX)
    finally:
        connection.close()
