"""The url of a Redis server as people write it, taken apart. Pure.

redis://USER:PASSWORD@HOST:PORT/DB, rediss:// with TLS, unix://FILE, or the Sentinels that know the
server: redis-sentinel://HOST:PORT,HOST:PORT/DB?master=NAME, rediss-sentinel:// with TLS.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

_SCHEMES: Final = ("redis", "rediss", "unix", "redis-sentinel", "rediss-sentinel")
_FILES: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_WORDS: Final[Mapping[str, Mapping[str, str | bool]]] = {
    "ssl_cert_reqs": {word: word for word in ("required", "optional", "none")},
    "ssl_check_hostname": {"true": True, "false": False},
}
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Where a Redis server is. Nothing but `get_secret_value` tells the password."""

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()  # the server's, or its Sentinels'; none: `file`
    file: str = ""  # of its Unix socket
    master: str = ""  # what the Sentinels call it
    db: int = 0
    user: str = ""
    password: SecretStr | None = None
    tls: Mapping[str, str | bool] | None = None  # redis-py's options; None: without TLS

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a url apart. Raise ValueError, in words that say nothing of a password in it."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("must be redis://HOST:PORT/DB, an IPv6 HOST in brackets") from None
        scheme = parts.scheme
        if scheme not in _SCHEMES:
            raise ValueError(f"must begin with {', '.join(f'{one}://' for one in _SCHEMES)}")
        who, _, where = parts.netloc.rpartition("@")
        local, sentinel, tls = scheme == "unix", "sentinel" in scheme, scheme.startswith("rediss")
        if parts.fragment or (not local and "@" in parts.path + parts.query):
            raise ValueError("must have / ? # @ within user and password as %2F %3F %23 %40")
        user, _, password = who.partition(":")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        possible = ["db", *(["master"] if sentinel else []), *([*_FILES, *_WORDS] if tls else [])]
        for name in options:
            if name not in possible:
                raise ValueError(f"has no option {name!r}; possible are {', '.join(possible)}")
        if local and (where or not parts.path.strip("/")):
            raise ValueError("must name a file: unix:///run/redis/redis.sock")
        if sentinel and not options.get("master"):
            raise ValueError("must say what the Sentinels call the server: ?master=NAME")
        return cls(
            scheme,
            hosts=() if local else _hosts(where, _SENTINEL_PORT if sentinel else _PORT),
            file=unquote(parts.path) if local else "",
            master=options.get("master", ""),
            db=_database(options.get("db", "" if local else parts.path.removeprefix("/"))),
            user=unquote(user),
            password=SecretStr(unquote(password)) if password else None,
            tls=_tls(options) if tls else None,
        )

    def beside(self, folder: Path) -> Self:
        """Return it with the files of its TLS options beside this folder."""
        if not self.tls:
            return self
        tls = {
            name: str(folder / str(value)) if name in _FILES else value
            for name, value in self.tls.items()
        }
        return dataclasses.replace(self, tls=tls)

    @property
    def key_file(self) -> Path | None:
        """The file of the private key with which we show who we are."""
        named = (self.tls or {}).get("ssl_keyfile")
        return Path(str(named)) if named else None

    @property
    def name(self) -> str:
        """The server's name for people."""
        if self.file:
            return f"Redis at {self.file}"
        hosts = ", ".join(map(_host_and_port, self.hosts))
        if self.master:
            return f"Redis master {self.master} of the Sentinels at {hosts}"
        return f"Redis at {hosts}/{self.db}"

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        if self.file:
            return f"unix://{user}{quote(self.file)}?db={self.db}"
        hosts = ",".join(map(_host_and_port, self.hosts))
        master = f"?master={quote(self.master)}" if self.master else ""
        return f"{self.scheme}://{user}{hosts}/{self.db}{master}"


def _hosts(where: str, usual: int) -> tuple[tuple[str, int], ...]:
    found = []
    for one in where.split(","):
        try:
            parts = urlsplit(f"//{one}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, 0
        if port == 0 or one.endswith(":"):
            raise ValueError("must have a port from 1 to 65535 behind a colon")
        if not host:
            raise ValueError("must name a host: redis://HOST:PORT/DB")
        found.append((host, port or usual))
    if len(found) > 1 and usual == _PORT:
        raise ValueError("must name one host; those of Sentinels begin with redis-sentinel://")
    return tuple(found)


def _host_and_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _database(text: str) -> int:
    if not re.fullmatch(r"\d{0,9}", text, re.ASCII):
        raise ValueError(f"must have the number of a database, not {text!r}")
    return int(text or 0)


def _tls(options: Mapping[str, str]) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {name: options[name] for name in _FILES if name in options}
    for name, words in _WORDS.items():
        if name in options:
            if options[name] not in words:
                raise ValueError(f"must have {name} as {' or '.join(words)}")
            found[name] = words[options[name]]
    if found.get("ssl_cert_reqs") == "none":
        found.setdefault("ssl_check_hostname", False)
    return found
