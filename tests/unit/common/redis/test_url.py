"""The url of a Redis server: what is read of it, and that nothing tells the password."""

import dataclasses
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.redis.url import RedisUrl
from shotline.common.settings.sections.legacy import LegacySection
from shotline.common.settings.sections.redis import RedisSection

SECRET = "s3cret-of-the-lab"


@pytest.mark.parametrize(
    ("url", "hosts", "name"),
    [
        ("redis://there", (("there", 6379),), "Redis at there:6379/0"),
        ("redis://there:1/2", (("there", 1),), "Redis at there:1/2"),
        ("redis://there?db=3", (("there", 6379),), "Redis at there:6379/3"),
        ("rediss://lab@[::1]:6380/0", (("::1", 6380),), "Redis at [::1]:6380/0"),
        ("unix:///run/redis/a@b.sock?db=1", (), "Redis at /run/redis/a@b.sock"),
        (
            "redis-sentinel://a,b:7/1?master=lab",
            (("a", 26379), ("b", 7)),
            "Redis master lab of the Sentinels at a:26379, b:7",
        ),
    ],
)
def test_urls(url: str, hosts: tuple[tuple[str, int], ...], name: str) -> None:
    found = RedisUrl.parse(url)
    assert found.hosts == hosts
    assert found.name == name
    assert RedisUrl.parse(str(found)) == found


def test_user_password_and_options_are_decoded() -> None:
    url = RedisUrl.parse("rediss://l%40b:a%2Fb%3Ac@there/0?ssl_cert_reqs=none&ssl_ca_certs=ca.pem")
    assert url.user == "l@b"
    assert url.password is not None
    assert url.password.get_secret_value() == "a/b:c"
    assert url.beside(Path("/etc/lab")).tls == {
        "ssl_ca_certs": "/etc/lab/ca.pem",
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@there",
        f"redis://:{SECRET}",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@there:port",
        f"redis://:{SECRET}@there/first",
        f"redis://:/{SECRET}@there/0",
        f"redis://:?{SECRET}@there/0",
        f"redis://:#{SECRET}@there/0",
        f"redis://:{SECRET}@there/0?db=one",
        f"redis://:{SECRET}@there/0?ssl_ca_certs=without-tls",
        f"rediss://:{SECRET}@there/0?ssl_cert_reqs=maybe",
        f"redis://:{SECRET}@[::1/0",
        f"redis://:{SECRET}@one,two/0",
        f"redis-sentinel://:{SECRET}@one,two/0",
        f"unix://:{SECRET}@there",
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|has no") as caught:
        RedisUrl.parse(url)
    assert SECRET not in str(caught.value)


@given(st.one_of(st.text(), st.text(alphabet="redis:/s@?#[]%,=0z\u2100").map("redis".__add__)))
def test_any_text_is_taken_or_refused_in_words(text: str) -> None:
    try:
        url = RedisUrl.parse(text)
    except ValueError as error:
        refused = str(error)
    else:
        again = RedisUrl.parse(str(url))
        assert dataclasses.replace(url, password=None, tls=again.tls) == again
        refused = ""
    assert not refused or refused.startswith(("must", "has no"))


@given(st.text(min_size=8, alphabet=st.characters(exclude_categories=("Cs",))))
def test_any_password_comes_through_and_is_not_told(password: str) -> None:
    quoted = quote(password, safe="")
    url = RedisUrl.parse(f"rediss://lab:{quoted}@there:1/0")
    assert url.password is not None
    assert url.password.get_secret_value() == password
    with pytest.raises(ValueError, match="must") as caught:
        RedisUrl.parse(f"rediss://lab:{quoted}@there:port/0")
    assert quoted not in f"{caught.value} {url} {url!r} {url.name}"


def test_a_section_tells_nobody_the_password() -> None:
    url = f"redis://lab:{SECRET}@there:1/0"
    redis, legacy = RedisSection(url=url), LegacySection(redis_url=url)
    for section in (redis, legacy):
        told = f"{section} {section!r} {section.model_dump()} {section.model_dump_json()}"
        assert "there" in told
        assert SECRET not in told
        assert SECRET not in f"{section.address} {section.address.name} {section.address!r}"
    assert redis != RedisSection(url=url.replace(SECRET, "another"))
