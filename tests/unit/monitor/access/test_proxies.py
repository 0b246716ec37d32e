"""What is believed of a proxy's headers, and of whom it is not."""

import pytest
from tornado.httputil import HTTPHeaders

from shotline.common.accounts import Role
from shotline.common.settings.sections.monitor import AccessSection
from shotline.monitor.access.proxies import Proxies, Said

SETTINGS = AccessSection(
    proxies=("127.0.0.1", "10.1.0.0/16"),
    user_header="X-Remote-User",
    groups_header="X-Remote-Groups",
    groups={"shift": Role.OPERATOR, "staff": Role.VIEWER},
)
HEADERS = HTTPHeaders(
    {
        "X-Remote-User": "anna",
        "X-Remote-Groups": "staff, shift",
        "X-Forwarded-For": "6.6.6.6, 192.0.2.7, 10.1.2.3",
        "X-Forwarded-Proto": "https",
    }
)


def test_a_proxy_vouches_for_a_user() -> None:
    said = Proxies(SETTINGS).said("127.0.0.1", HEADERS, secure=False)
    assert said == Said("192.0.2.7", True, "anna", ("staff", "shift"))


@pytest.mark.parametrize("peer", ["192.0.2.1", "::1", "127.0.0.2", "", "nonsense"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert Proxies(SETTINGS).said(peer, HEADERS, secure=False) == Said(peer, False)


def test_a_proxy_shows_its_secret_where_one_is_configured() -> None:
    proxies = Proxies(SETTINGS, "a secret")
    assert proxies.said("127.0.0.1", HEADERS, secure=False).user is None
    shown = HTTPHeaders(HEADERS)
    shown["X-Shotline-Proxy"] = "a secret"
    assert proxies.said("127.0.0.1", shown, secure=False).user == "anna"


def test_the_highest_role_of_all_groups_counts() -> None:
    proxies = Proxies(SETTINGS)
    assert proxies.role_of(("staff", "shift")) is Role.OPERATOR
    assert proxies.role_of(("staff",)) is Role.VIEWER
    assert proxies.role_of(("others",)) is None
    everybody = SETTINGS.model_copy(update={"groups": {"*": Role.VIEWER}})
    assert Proxies(everybody).role_of(()) is Role.VIEWER


def test_what_precedes_a_strangers_address_is_the_strangers_own_writing() -> None:
    headers = HTTPHeaders({"X-Forwarded-For": "127.0.0.1, 192.0.2.7"})
    assert Proxies(SETTINGS).said("127.0.0.1", headers, secure=False).address == "192.0.2.7"
