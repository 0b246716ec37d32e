"""What helps others to help, in one file, without secrets: configuration, findings, states, logs.

Whatever goes in passes `Scrubber` first: secrets that are known here, and what looks like one.
"""

import getpass
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from pydantic import BaseModel, SecretStr

from shotline import __version__
from shotline.client.doctor.finding import Finding
from shotline.client.doctor.site import ASK_S
from shotline.client.errors import SupervisorError
from shotline.client.supervisor import Supervisor
from shotline.common.errors import ConfigError
from shotline.common.files.own import private_opener
from shotline.common.files.secret_file import CREDENTIALS_VARIABLE
from shotline.common.keys.folder import SUFFIX
from shotline.common.keys.peers import peer_key_of
from shotline.common.redis.url import RedisUrl
from shotline.common.settings.config import Config

REDACTED: Final = "[removed]"
LOG_BYTES_MAX: Final = 2 * 1024 * 1024  # of each log the end
LOGS_BYTES_MAX: Final = 64 * 1024 * 1024
_PROGRAM_S: Final = 30.0
_SECRET_BYTES_MIN: Final = 6  # a shorter word would be found everywhere
_SECRET_FILE_BYTES_MAX: Final = 64 * 1024
_SECRET_NAME: Final = re.compile(r"passw|secret|token|key|credential|users", re.IGNORECASE)
_IN_URL: Final = re.compile(r"(?<=://)[^\s/@\"']*:[^\s/@\"']*(?=@)")
_NAMED: Final = re.compile(
    r"""((?:passw(?:or)?d|requirepass|masterauth|secret|token|authorization|cookie|_xsrf)
        ["']?\s*[=:]?\s+|(?:passw(?:or)?d|secret|token)["']?\s*[=:]\s*)(["']?)[^\s"',;]+""",
    re.IGNORECASE | re.VERBOSE,
)
_JOURNAL: Final = (
    *("journalctl", "--no-pager", "--output=short-iso", "--since=-2d", "--lines=20000"),
    *("--unit=shotline*",),
)
_UNITS: Final = ("systemctl", "--no-pager", "--full", "--lines=0", "status", "shotline*")


class Scrubber:
    """Takes secrets out of text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= _SECRET_BYTES_MIN}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def clean(self, text: str) -> str:
        """Return text without what is known to be secret, or looks like it."""
        text = self._known.sub(REDACTED, text)
        text = _IN_URL.sub(REDACTED, text)
        return _NAMED.sub(rf"\1\2{REDACTED}", text)


def known_secrets(config: Config, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets that this user can read: in files, urls, credentials, the environment."""
    for name, value in _leaves(config):
        if isinstance(value, Path) and _SECRET_NAME.search(name):
            yield from _words_in(value)
        elif isinstance(value, RedisUrl) and value.password is not None:
            yield value.password.get_secret_value()
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
    yield from _keys(config)
    if config.redis.secret_file is not None:
        yield from _words_in(config.redis.secret_file)
    if folder := environment.get(CREDENTIALS_VARIABLE):
        yield from _words_in(Path(folder))
    for name, value in environment.items():
        if _SECRET_NAME.search(name):
            yield value


def _keys(config: Config) -> Iterator[str]:
    """Yield the secret halves of the keys that are here."""
    files = [*config.keys.folder.glob(f"*{SUFFIX}")]
    for file in files if config.keys.file is None else [*files, config.keys.file]:
        with suppress(ConfigError, OSError, UnicodeError):
            yield peer_key_of(file.read_text(encoding="utf-8"), file).secret


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield all values of the configuration with the names of their keys."""
    if isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from _leaves(getattr(value, key), key)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, str(key))
    else:
        yield name, value


def _words_in(path: Path) -> Iterator[str]:
    """Yield the lines of a file of secrets, or of all files in a folder of such."""
    try:
        files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
        for file in files:
            if file.stat().st_size <= _SECRET_FILE_BYTES_MAX:
                for line in file.read_text(errors="replace").splitlines():
                    yield line.strip()
                    yield from re.findall(r"[^\s\"'=:,]{16,}", line)  # keys in what has a form
    except OSError:
        return  # who cannot read it has not got it in what is gathered, either


def write(
    file: Path,
    config: Config,
    config_file: Path,
    supervisor: Callable[[], Supervisor],
    findings: Iterable[Finding],
) -> None:
    """Write the bundle. Raise OSError when the file cannot be written, or is there already."""
    scrubber = Scrubber(known_secrets(config, os.environ))
    now = int(time.time())
    root = file.name.removesuffix(".tar.gz")
    with (
        open(file, "xb", opener=private_opener) as out,
        tarfile.open(fileobj=out, mode="w:gz") as archive,
    ):
        for name, text in _members(config, config_file, supervisor, findings):
            data = scrubber.clean(text).encode(errors="backslashreplace")
            member = tarfile.TarInfo(f"{root}/{name}")
            member.size, member.mtime, member.mode = len(data), now, 0o600
            archive.addfile(member, io.BytesIO(data))


def _members(
    config: Config,
    config_file: Path,
    supervisor: Callable[[], Supervisor],
    findings: Iterable[Finding],
) -> Iterator[tuple[str, str]]:
    yield "about.json", _json(_about(config, config_file))
    yield "config.json", config.model_dump_json(indent=2)
    yield "findings.json", _json([one._asdict() for one in findings])
    for name, text in _answers(supervisor):
        yield f"answers/{name}.json", text
    for name, address in config.metrics.addresses.items():
        yield f"metrics/{name}.txt", _scraped(address)
    for name, command in (("journal", _JOURNAL), ("units", _UNITS)):
        if Path("/run/systemd/system").is_dir() and shutil.which(command[0]):
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PROGRAM_S,
                check=False,
            )
            yield f"{name}.txt", done.stdout + done.stderr
    yield from _logs(config.data_folder)


def _about(config: Config, config_file: Path) -> dict[str, object]:
    installed = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    there = next(one for one in (config.data_folder, *config.data_folder.parents) if one.exists())
    return {
        "shotline": __version__,
        "host": socket.gethostname(),
        "user": getpass.getuser(),
        "config": str(config_file),
        "python": sys.version,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "disk": shutil.disk_usage(there)._asdict(),
        "packages": dict(sorted(installed.items())),
        "environment": {
            name: value for name, value in os.environ.items() if name.startswith("SHOTLINE_")
        },
    }


def _answers(connect: Callable[[], Supervisor]) -> Iterator[tuple[str, str]]:
    """Yield what the dispatcher answers, or why it does not."""
    try:
        connected = connect()
    except ConfigError as error:
        yield "status", _json({"error": str(error)})
        return
    with connected as supervisor:
        asking: dict[str, Callable[[], object]] = {
            "status": supervisor.status,
            "shots": supervisor.shots,
        }
        for name, ask in asking.items():
            try:
                answer = msgspec.json.format(msgspec.json.encode(ask())).decode()
            except SupervisorError as error:
                answer = _json({"error": str(error)})
            yield name, answer


def _scraped(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=ASK_S) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return f"no answer: {error}\n"


def _logs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the ends of all logs inside the data folder, the newest first."""
    files = [one for one in folder.rglob("*.log*") if one.is_file()]
    left = LOGS_BYTES_MAX
    for file in sorted(files, key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            with file.open("rb") as log:
                size = log.seek(0, io.SEEK_END)
                log.seek(max(size - min(LOG_BYTES_MAX, left), 0))
                data = log.read(min(LOG_BYTES_MAX, left))
        except OSError as error:
            data = f"cannot be read: {error}\n".encode()
        left -= len(data)
        if left <= 0:
            return
        yield f"logs/{file.relative_to(folder)}", data.decode(errors="backslashreplace")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=str)
