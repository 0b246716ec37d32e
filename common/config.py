"""The configuration: found, read, merged, checked as a whole. Its keys are in `sections`.

What counts, the first first: an option of the command line, the environment
(SHOTLINE_SECTION__KEY), the file, the default. Everything that is wrong is reported at once, with
file and line. Nothing here opens a socket or changes a file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from shotline.common import sections
from shotline.common.binding import ADVICE, host_of, is_loopback
from shotline.common.nodes import FileSource, Source, untold
from shotline.common.sections import (
    ActionServerSection,
    BrokerSection,
    DispatcherSection,
    ExperimentSection,
    JournalSection,
    LegacySection,
    LoggingSection,
    MonitorSection,
    RedisSection,
    Section,
    SecuritySection,
    UpSection,
    UpServer,
)
from shotline.common.yamlfile import (
    FileProblems,
    LocatedDocument,
    Location,
    Problem,
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
    "FileProblems",
    "JournalSection",
    "LegacySection",
    "LoggingSection",
    "MonitorSection",
    "Problem",
    "RedisSection",
    "SecuritySection",
    "UpSection",
    "UpServer",
    "check_config",
    "config_schema",
    "find_config",
    "load_config",
    "packaged",
]

PREFIX: Final = "SHOTLINE_"
CONFIG_VARIABLE: Final = "SHOTLINE_CONFIG"
SYSTEM_CONFIG: Final = Path("/etc/shotline/config.yaml")
_ENVIRONMENT: Final = Path("environment")
_OPTION: Final = Path("option")
_ANY_HOST: Final = frozenset(("*", "0.0.0.0", "::"))  # compared, not bound


class Config(Section):
    """The whole configuration. Paths of one made by `load_config` are absolute."""

    model_config = ConfigDict(title="Shotline configuration")

    data_folder: Path = Field(
        Path("var"),
        description="Folder for all that the daemons write; relative: inside the current one.",
    )
    broker: BrokerSection = Field(BrokerSection(), description="The broker.")
    redis: RedisSection = Field(RedisSection(), description="The Redis server.")
    journal: JournalSection = Field(JournalSection(), description="The dispatcher's journal.")
    dispatcher: DispatcherSection = Field(DispatcherSection(), description="The dispatcher.")
    action_server: ActionServerSection = Field(
        ActionServerSection(), description="All action servers that read this file."
    )
    experiments: dict[sections.TreeName, ExperimentSection] = Field(
        {}, description="Experiments by tree name, in upper case."
    )
    monitor: MonitorSection = Field(MonitorSection(), description="The monitor.")
    legacy: LegacySection = Field(
        LegacySection(), description="The bridge for programs of the MDSplus Redis dispatcher."
    )
    up: UpSection = Field(UpSection(), description="What `shotline up` runs on this machine.")
    logging: LoggingSection = Field(LoggingSection(), description="Logs of the daemons.")
    security: SecuritySection = Field(SecuritySection(), description="Who may connect.")

    def resolved(self, beside: Path) -> "Config":
        """Return the configuration with absolute paths.

        What the daemons write is inside `data_folder`, what they read is beside the configuration
        file, whose folder is `beside`.
        """
        data = self.data_folder.expanduser().absolute()
        password = self.redis.password_file
        log = self.logging.file
        path = self.action_server.task_path
        script = self.monitor.server_command
        old_password = self.legacy.password_file
        return self.model_copy(
            update={
                "data_folder": data,
                "redis": self.redis.model_copy(
                    update={
                        "folder": data / self.redis.folder,
                        "password_file": password and beside / password,
                    }
                ),
                "journal": self.journal.model_copy(
                    update={"spill_file": data / self.journal.spill_file}
                ),
                "action_server": self.action_server.model_copy(
                    update={
                        "state_folder": data / self.action_server.state_folder,
                        "task_path": path and tuple(beside / folder for folder in path),
                    }
                ),
                "experiments": {
                    name: experiment.model_copy(
                        update={"source": _resolved_source(experiment.source, beside, data)}
                    )
                    for name, experiment in self.experiments.items()
                },
                "monitor": self.monitor.model_copy(
                    update={"server_command": script and beside / script}
                ),
                "legacy": self.legacy.model_copy(
                    update={"password_file": old_password and beside / old_password}
                ),
                "logging": self.logging.model_copy(update={"file": log and str(data / log)}),
            }
        )

    def check(self) -> Iterator[tuple[Location, str]]:
        """Yield what is wrong between keys that are each right by themselves."""
        broker = self.broker
        if broker.suspect_s >= broker.server_lost_s:
            yield (
                ("broker", "server_lost_s"),
                "must be longer than suspect_beats heartbeats of heartbeat_s "
                f"({broker.suspect_s:g} s)",
            )
        for key, endpoint in broker.endpoints().items():
            if endpoint.startswith("tcp://") and endpoint.rpartition(":")[2].strip("0") == "":
                yield ("broker", key), "must name a port, or nobody can find it"
        yield from self._addresses_used_twice()
        servers = [f"{server.server_class}:{server.id}" for server in self.up.servers]
        for index, name in enumerate(servers):
            if name in servers[:index]:
                yield ("up", "servers", index), f"{name} is listed twice; give each its own id"

    def _addresses_used_twice(self) -> Iterator[tuple[Location, str]]:
        hosts = self.broker.bound_hosts()
        listening: dict[Location, tuple[str, str]] = {
            ("broker", key): (hosts.get(key, ""), endpoint.rpartition(":")[2])
            for key, endpoint in self.broker.endpoints().items()
        }
        if self.redis.url is None:
            listening["redis", "port"] = ("127.0.0.1", str(self.redis.port))
        elif (redis := urlsplit(self.redis.url)).hostname is not None:
            listening["redis", "url"] = (redis.hostname, str(redis.port or 6379))
        listening["monitor", "port"] = (self.monitor.address, str(self.monitor.port))
        seen: list[Location] = []
        for location, (host, port) in listening.items():
            for other in seen:
                if port.lstrip("0") and _collide((host, port), listening[other]):
                    yield location, f"is the same address as {'.'.join(map(str, other))}"
                    break
            seen.append(location)

    def reachable_by_strangers(self) -> Iterator[tuple[Location, str]]:
        """Yield which addresses may not be bound as they are.

        Whoever binds them asks, too: those who only connect to them need not know.
        """
        if self.security.insecure:
            return
        bound: dict[Location, str] = {
            ("broker", "bind" if self.broker.bind else key): host
            for key, host in self.broker.bound_hosts().items()
        }
        bound["monitor", "address"] = self.monitor.address
        if self.monitor.recodex_zeromq is not None:
            bound["monitor", "recodex_zeromq"] = host_of(self.monitor.recodex_zeromq)
        for location, host in bound.items():
            if not is_loopback(host):
                yield location, f"{host} {ADVICE}"


def _collide(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return whether no two sockets can be bound to these hosts and ports at a time."""
    if one[1].lstrip("0") != other[1].lstrip("0"):
        return False
    hosts = {one[0].strip("[]").lower(), other[0].strip("[]").lower()}
    # A name may be that of another machine, where its port is free.
    return len(hosts) == 1 or all(host in _ANY_HOST or is_loopback(host) for host in hosts)


def _resolved_source(source: Source, beside: Path, data: Path) -> Source:
    if not isinstance(source, FileSource):
        return source
    # Pulses are data: not beside an experiment file that may be part of the installation.
    return source.model_copy(
        update={
            "file": str(beside / source.file),
            "pulses": str(data / (source.pulses or "pulses")),
        }
    )


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
) -> list[Problem]:
    """Return everything that is wrong with a configuration, and with the files that it names."""
    try:
        config = load_config(path, environment=environment)
    except FileProblems as wrong:
        return list(wrong.problems)
    document = load_yaml(find_config(path, environment))
    named: dict[Location, Path | None] = {
        ("redis", "password_file"): config.redis.password_file,
        ("monitor", "server_command"): config.monitor.server_command,
        ("legacy", "password_file"): config.legacy.password_file,
    }
    found = list(config.reachable_by_strangers())
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
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "_Merged":
        document = load_yaml(path)
        data = {} if document.data is None else document.data
        if not isinstance(data, dict):
            raise FileProblems([Problem(path, 1, "", "must be a mapping of sections to keys")])
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
        if self.problems:
            raise FileProblems(self.problems)
        return config.resolved(self.document.path.absolute().parent)

    def _note(self, error: ValidationError) -> None:
        located = self.document.problems_of(error, Config)
        for one, problem in zip(error.errors(), located, strict=True):
            origin = self._origin_of(tuple(one["loc"]))
            if origin is None:
                self.problems.append(problem)
            else:
                self.problems.append(Problem(origin.source, None, origin.name, problem.message))

    def _problem(self, location: Location, message: str) -> Problem:
        origin = self._origin_of(location)
        if origin is not None:
            return Problem(origin.source, None, f"{origin.name}: {dotted(location)}", message)
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
