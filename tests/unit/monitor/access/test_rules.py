"""Where a request comes from: Host, Origin, Fetch-Metadata, the page's token."""

import pytest

from shotline.monitor.access.rules import Asked, Rules

RULES = Rules(5580, ("shots.example", "proxy.example:8443"))
PAGE = Asked(
    host="127.0.0.1:5580",
    origin="http://127.0.0.1:5580",
    has_cookies=True,
    cookie_token="secret",
    header_token="secret",
    content_type="application/json",
)


def changed(**fields: object) -> Asked:
    values = {name: getattr(PAGE, name) for name in PAGE.__slots__} | fields
    return Asked(**values)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5580",
        "127.0.0.1:5580",
        "[::1]:5580",
        "[::1]",
        "192.168.1.7:5580",
        "shots.example",
        "SHOTS.example:5580",
        "proxy.example:8443",
    ],
)
def test_its_own_names(host: str) -> None:
    assert RULES.refuses(Asked(host)) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:5580", "127.0.0.1.evil.example", "localhost.evil.example"],
)
def test_other_names_are_refused(host: str) -> None:
    """A name of another site may point here; then its pages would be of the same origin."""
    assert RULES.refuses(Asked(host)) is not None
    assert RULES.refuses_change(changed(host=host)) is not None


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "file://", "http://127.0.0.1:5581", "127.0.0.1:5580"],
)
def test_other_origins_are_refused(origin: str) -> None:
    assert RULES.refuses(changed(origin=origin)) is not None
    assert RULES.refuses_change(changed(origin=origin)) is not None


def test_a_proxy_may_leave_the_port_out_of_host() -> None:
    for host, origin in (("127.0.0.1", "http://127.0.0.1:8080"), ("[::1]", "http://[::1]:8080")):
        assert RULES.refuses_change(changed(host=host, origin=origin)) is None
    other = changed(host="127.0.0.1", origin="http://127.0.0.2:8080")
    assert RULES.refuses_change(other) is not None
    # A browser that comes to port 80 itself leaves it out: then another port is another's.
    direct = Rules(80)
    assert direct.refuses_change(changed(host="127.0.0.1", origin="http://127.0.0.1:8080"))


def test_the_page_may_change() -> None:
    assert RULES.refuses_change(PAGE) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"header_token": None},
        {"header_token": "other"},
        {"cookie_token": None},
        {"header_token": "", "cookie_token": ""},
        {"content_type": "text/plain"},
        {"content_type": ""},
    ],
)
def test_a_browser_without_the_token_may_not(wrong: dict[str, object]) -> None:
    assert RULES.refuses_change(changed(**wrong)) is not None


def test_a_program_needs_no_token() -> None:
    program = Asked(host="localhost:5580", content_type="application/json; charset=utf-8")
    assert RULES.refuses_change(program) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_browsers_say_which_site_asks(site: str) -> None:
    asked = changed(origin=None, fetch_site=site)
    assert RULES.refuses(asked) is not None
    assert RULES.refuses_change(asked) is not None
    link = changed(origin=None, fetch_site=site, fetch_mode="navigate")
    assert RULES.refuses(link) is None
    assert RULES.refuses_change(link) is not None


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_own_site_may_ask(site: str) -> None:
    assert RULES.refuses_change(changed(fetch_site=site)) is None


def test_behind_a_proxy_with_tls() -> None:
    asked = changed(host="shots.example", origin="https://shots.example")
    assert RULES.refuses_change(asked) is None
