"""The configuration: found, read, merged, checked. What it consists of is in `configuration`.

What counts, the first first: an option of the command line, the environment
(SHOTLINE_SECTION__KEY), the file, the default. Everything that is wrong is reported at once, with
file and line. Nothing here opens a socket or changes a file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import JsonValue, ValidationError

from shotline.common.files.secret_file import problem_of
from shotline.common.nodes import FileSource, untold
from shotline.common.settings.configuration import Config
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.settings.sections.dispatcher import DispatcherSection
from shotline.common.settings.sections.experiment import ExperimentSection
from shotline.common.settings.sections.legacy import LegacySection
from shotline.common.settings.sections.logs import LoggingSection
from shotline.common.settings.sections.monitor import MonitorSection
from shotline.common.settings.sections.redis import JournalSection, RedisSection
from shotline.common.settings.sections.security import SecuritySection
from shotline.common.settings.sections.up import UpSection, UpServer
from shotline.common.settings.yamlfile import (
    FileProblem,
    FileProblems,
    LocatedDocument,
    Location,
    dotted,
    load_yaml,
    parse_yaml,
    validated,
)

__all__ = [
    "ActionServerSection",
    "BrokerSection",
    "Config",
    "DispatcherSection",
    "ExperimentSection",
    "FileProblem",
    "FileProblems",
    "JournalSection",
    "LegacySection",
    "LoggingSection",
    "MonitorSection",
    "RedisSection",
    "SecuritySection",
    "UpSection",
    "UpServer",
    "check_config",
    "config_schema",
    "find_config",
    "fingerprint",
    "load_config",
    "packaged",
]

PREFIX: Final = "SHOTLINE_"
CONFIG_VARIABLE: Final = "SHOTLINE_CONFIG"
SYSTEM_CONFIG: Final = Path("/etc/shotline/config.yaml")
_ENVIRONMENT: Final = Path("environment")
_OPTION: Final = Path("option")


def packaged(name: str) -> Path:
    """Return the path of a file of `etc` that came with the installation."""
    return Path(str(files("shotline").joinpath("etc", name)))


def config_schema() -> str:
    """Return the JSON schema of the configuration file, for editors: `etc/config.schema.json`."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def find_config(option: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the configuration file that counts here.

    That is the option's, else the one that SHOTLINE_CONFIG names, else ./etc/config.yaml, else
    /etc/shotline/config.yaml, else the one that came with the installation.
    """
    environment = os.environ if environment is None else environment
    if option is not None:
        return option
    if named := environment.get(CONFIG_VARIABLE):
        return Path(named)
    for path in (Path("etc/config.yaml"), SYSTEM_CONFIG):
        if path.is_file():
            return path
    return packaged("config.yaml")


def fingerprint(path: Path) -> str:
    """Return the first digits of a file's SHA-256, as sha256sum shows it; "" where it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


def load_config(
    path: Path | None = None,
    overrides: Mapping[str, JsonValue] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration that counts here; `path` as in `find_config`.

    `overrides` are options of the command line by dotted key (`broker.heartbeat_s`); text that
    stands for a number, a boolean or null counts as that. Raise FileProblems, a ConfigError, with
    everything that is wrong.
    """
    environment = os.environ if environment is None else environment
    merged = _Merged.read(find_config(path, environment))
    merged.take_environment(environment)
    for key, value in (overrides or {}).items():
        merged.set(tuple(key.split(".")), _option_value(value), _Origin(_OPTION, key))
    return merged.validated()


def check_config(
    path: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[FileProblem]:
    """Return everything that is wrong with a configuration, and with the files that it names."""
    try:
        config = load_config(path, environment=environment)
    except FileProblems as wrong:
        return list(wrong.problems)
    document = load_yaml(find_config(path, environment))
    named: dict[Location, Path | None] = {
        ("monitor", "server_command"): config.monitor.server_command,
        ("alarms", "alarm_command"): config.alarms.program,
        ("dispatcher", "server_command"): config.dispatcher.server_command,
        ("providers", "script"): config.providers.script,
        ("providers", "slurm_script"): config.providers.slurm_script,
    }
    secrets: dict[Location, Path | None] = {
        (section, key): getattr(getattr(config, section), key)
        for section in ("redis", "legacy")
        for key in ("password_file", "sentinel_password_file")
    }
    secrets["keys", "file"] = config.keys.file
    secrets |= {
        ("monitor", "access", key): getattr(config.monitor.access, key)
        for key in ("users_file", "proxy_secret_file", "tls_key")
    }
    secrets["queue", "emergency_key_file"] = config.queue.emergency_key_file
    named["monitor", "access", "tls_certificate"] = config.monitor.access.tls_certificate
    named |= secrets
    has_keys = (config.keys.folder / "broker.key").exists()
    found = list(config.reachable_by_strangers(has_keys=has_keys))
    found += [
        (location, problem)
        for location, file in secrets.items()
        if file is not None and (problem := problem_of(file))
    ]
    for name, experiment in config.experiments.items():
        if isinstance(experiment.source, FileSource):
            named["experiments", name, "source", "file"] = Path(experiment.source.file)
            if problem := untold(experiment.source):
                found.append((("experiments", name, "source"), problem))
    found += [
        (location, f"there is no file {file}")
        for location, file in named.items()
        if file is not None and not file.is_file()
    ]
    if unusable := _unusable_folder(config.data_folder):
        found.append((("data_folder",), unusable))
    found += [
        (("action_server", "task_path", index), f"there is no folder {folder}")
        for index, folder in enumerate(config.action_server.task_path or ())
        if not folder.is_dir()
    ]
    return [document.problem(location, message) for location, message in found]


def _unusable_folder(folder: Path) -> str | None:
    """Return why a folder cannot be made and written in, None where it can."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        return f"{there} is no folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"nothing may be written in {there}"
    return None


@dataclass(frozen=True)
class _Origin:
    """Where a value that is not the file's came from."""

    source: Path
    name: str


@dataclass
class _Merged:
    """The file's data with what overrides it, and where each override came from."""

    document: LocatedDocument
    data: dict[str, JsonValue]
    origins: dict[Location, _Origin] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "_Merged":
        document = load_yaml(path)
        data = {} if document.data is None else document.data
        if not isinstance(data, dict):
            raise FileProblems([FileProblem(path, 1, "", "must be a mapping of sections to keys")])
        # A section whose keys are all commented out has its defaults.
        given: dict[str, JsonValue] = {
            key: value for key, value in data.items() if value is not None
        }
        return cls(document, given, problems=list(document.problems))

    def take_environment(self, environment: Mapping[str, str]) -> None:
        for name, text in sorted(environment.items()):
            steps = _steps_of(name)
            if steps is None:
                continue
            try:
                value = parse_yaml(text.encode(errors="surrogateescape"), _ENVIRONMENT).data
            except FileProblems as wrong:
                self.problems += [one._replace(line=None, where=name) for one in wrong.problems]
            else:
                self.set(steps, value, _Origin(_ENVIRONMENT, name))

    def set(self, steps: tuple[str, ...], value: JsonValue, origin: _Origin) -> None:
        place = self.data
        for step in steps[:-1]:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[steps[-1]] = value
        self.origins[steps] = origin

    def validated(self) -> Config:
        try:
            config = validated(Config, self.data)
        except ValidationError as error:
            self._note(error)
            raise FileProblems(self.problems) from None
        self.problems += [self._problem(location, text) for location, text in config.check()]
        for location in config.redis_passwords():
            self._check_password(location)
        if self.problems:
            raise FileProblems(self.problems)
        return config.resolved(self.document.path.absolute().parent)

    def _check_password(self, location: Location) -> None:
        """Note where a url with a password stands that others can read."""
        if self._origin_of(location) is not None:
            seen = "must have no password here, where others see it: name a file in password_file"
            self.problems.append(self._problem(location, seen))
        elif problem := problem_of(self.document.path):
            self.problems.append(self.document.problem(location, problem))

    def _note(self, error: ValidationError) -> None:
        located = self.document.problems_of(error, Config)
        for one, problem in zip(error.errors(), located, strict=True):
            origin = self._origin_of(tuple(one["loc"]))
            if origin is None:
                self.problems.append(problem)
            else:
                self.problems.append(FileProblem(origin.source, None, origin.name, problem.message))

    def _problem(self, location: Location, message: str) -> FileProblem:
        origin = self._origin_of(location)
        if origin is not None:
            return FileProblem(origin.source, None, f"{origin.name}: {dotted(location)}", message)
        return self.document.problem(location, message)

    def _origin_of(self, location: Location) -> _Origin | None:
        """Return where the override that a pydantic `loc` lies in, or consists of, came from."""
        for steps, origin in self.origins.items():
            # The tag of a union is a step of `loc` that no key has.
            remaining = iter(location)
            if all(step in remaining for step in steps):
                return origin
            if steps[: len(location)] == location and location not in self.document.lines:
                return origin
        return None


def _option_value(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        return value
    try:
        meant = parse_yaml(value.encode(errors="surrogateescape"), _OPTION).data
    except FileProblems:
        return value
    return value if isinstance(meant, list | dict) else meant


def _steps_of(variable: str) -> tuple[str, ...] | None:
    """Return the key that an environment variable sets, or None when it sets none of ours."""
    if not variable.startswith(PREFIX):
        return None
    first, *rest = variable.removeprefix(PREFIX).split("__")
    key = first.lower()
    if not rest:
        return (key,) if key == "data_folder" else None
    if key == "experiments":
        return (key, rest[0].upper(), *(step.lower() for step in rest[1:]))
    return (key, *(_spelling(step.lower()) for step in rest))


def _spelling(key: str) -> str:
    # The one key that a variable's name cannot spell.
    return "max-size" if key == "max_size" else key
