"""The configuration as one value: all its sections, and what must hold between them. Pure.

Its keys are in `sections`; how a file, the environment and options become one is in `config`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from msgspec import structs
from pydantic import ConfigDict, Field

from shotline.common.accounts import Role
from shotline.common.binding import ADVICE, BROKER_ADVICE, PAGE_ADVICE, host_of, is_loopback
from shotline.common.nodes import FileSource, Source
from shotline.common.redis.url import RedisUrl
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.alarms import AlarmsSection
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.settings.sections.classes import (
    ClassPattern,
    ClassSection,
    LimitName,
    NamedLimit,
    class_of,
)
from shotline.common.settings.sections.debugging import DebugSection
from shotline.common.settings.sections.dispatcher import DispatcherSection, KeptSection
from shotline.common.settings.sections.experiment import ExperimentSection
from shotline.common.settings.sections.filterorchestrator import FilterorchestratorSection
from shotline.common.settings.sections.legacy import LegacySection
from shotline.common.settings.sections.logs import LoggingSection
from shotline.common.settings.sections.metrics import MetricsSection
from shotline.common.settings.sections.monitor import MonitorSection
from shotline.common.settings.sections.providers import ProvidersSection
from shotline.common.settings.sections.qserver import QserverSection
from shotline.common.settings.sections.queue import QueueSection
from shotline.common.settings.sections.redis import JournalSection, RedisAccess, RedisSection
from shotline.common.settings.sections.security import KeysSection, SecuritySection
from shotline.common.settings.sections.up import UpSection
from shotline.common.settings.sections.values import Section, TreeName
from shotline.common.settings.sections.volumes import VolumesSection
from shotline.common.settings.yamlfile import Location

AnyAccess = TypeVar("AnyAccess", bound=RedisAccess)

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
    kept: KeptSection = Field(KeptSection(), description="Shots that are kept in files.")
    dispatcher: DispatcherSection = Field(DispatcherSection(), description="The dispatcher.")
    action_server: ActionServerSection = Field(
        ActionServerSection(), description="All action servers that read this file."
    )
    classes: dict[ClassPattern, ClassSection] = Field(
        {},
        description="Server classes by name or pattern: what bears a class's name counts for it, "
        "else the first pattern that fits.",
    )
    limits: dict[LimitName, NamedLimit] = Field(
        {}, description="How many actions may run at a time, across classes, by any name."
    )
    experiments: dict[TreeName, ExperimentSection] = Field(
        {}, description="Experiments by tree name, in upper case."
    )
    queue: QueueSection = Field(QueueSection(), description="The pulse queue.")
    volumes: VolumesSection = Field(
        VolumesSection(), description="Data that starts work: volumes, rules, consumers."
    )
    alarms: AlarmsSection = Field(
        AlarmsSection(), description="What is latched until somebody acknowledges it."
    )
    monitor: MonitorSection = Field(MonitorSection(), description="The monitor.")
    legacy: LegacySection = Field(
        LegacySection(), description="The bridge for programs of the MDSplus Redis dispatcher."
    )
    qserver: QserverSection = Field(
        QserverSection(), description="The bridge for clients of bluesky-queueserver."
    )
    providers: ProvidersSection = Field(
        ProvidersSection(), description="Servers that are started on demand."
    )
    filterorchestrator: FilterorchestratorSection = Field(
        FilterorchestratorSection(),
        description="The bridge for clients of the filter orchestrator.",
    )
    up: UpSection = Field(UpSection(), description="What `shotline up` runs on this machine.")
    debug: DebugSection = Field(DebugSection(), description="Rehearsals of what may go wrong.")
    logging: LoggingSection = Field(LoggingSection(), description="Logs of the daemons.")
    metrics: MetricsSection = Field(
        MetricsSection(), description="What Prometheus collects of the daemons."
    )
    keys: KeysSection = Field(
        KeysSection(), description="Keys of the broker and of all that connect to it."
    )
    security: SecuritySection = Field(SecuritySection(), description="Who may connect.")

    def resolved(self, beside: Path) -> "Config":
        """Return the configuration with absolute paths.

        What the daemons write is inside `data_folder`, what they read is beside the configuration
        file, whose folder is `beside`.
        """
        data = self.data_folder.expanduser().absolute()
        log = self.logging.file
        path = self.action_server.task_path
        script, access = self.monitor.server_command, self.monitor.access
        starts = self.dispatcher.server_command or script
        own_script, slurm_script = self.providers.script, self.providers.slurm_script
        key, qserver_key = self.queue.emergency_key_file, self.qserver.key_file
        return self.model_copy(
            update={
                "data_folder": data,
                "redis": _resolved_access(self.redis, beside, "url").model_copy(
                    update={"folder": data / self.redis.folder}
                ),
                "journal": self.journal.model_copy(
                    update={"spill_file": data / self.journal.spill_file}
                ),
                "kept": self.kept.model_copy(update={"folder": data / self.kept.folder}),
                "action_server": self.action_server.model_copy(
                    update={
                        "state_folder": data / self.action_server.state_folder,
                        "task_path": path and tuple(beside / folder for folder in path),
                        "disks": tuple(beside / folder for folder in self.action_server.disks),
                    }
                ),
                "experiments": {
                    name: experiment.model_copy(
                        update={"source": _resolved_source(experiment.source, beside, data)}
                    )
                    for name, experiment in self.experiments.items()
                },
                "dispatcher": self.dispatcher.model_copy(
                    update={"server_command": starts and beside / starts}
                ),
                "monitor": self.monitor.model_copy(
                    update={
                        "server_command": script and beside / script,
                        "access": access.model_copy(
                            update={
                                name: file and beside / file
                                for name, file in (
                                    ("users_file", access.users_file),
                                    ("proxy_secret_file", access.proxy_secret_file),
                                    ("tls_certificate", access.tls_certificate),
                                    ("tls_key", access.tls_key),
                                )
                            }
                        ),
                    }
                ),
                "queue": self.queue.model_copy(update={"emergency_key_file": key and beside / key}),
                "keys": self.keys.model_copy(
                    update={
                        "folder": data / self.keys.folder,
                        "file": self.keys.file and beside / self.keys.file,
                    }
                ),
                "volumes": self.volumes.resolved(beside, data),
                "alarms": self.alarms.resolved(beside),
                "legacy": _resolved_access(self.legacy, beside, "redis_url"),
                "qserver": self.qserver.model_copy(
                    update={"key_file": qserver_key and beside / qserver_key}
                ),
                "providers": self.providers.model_copy(
                    update={
                        "script": own_script and beside / own_script,
                        "slurm_script": slurm_script and beside / slurm_script,
                    }
                ),
                "logging": self.logging.model_copy(update={"file": log and str(data / log)}),
            }
        )

    @property
    def named_servers(self) -> frozenset[str]:
        """The action servers that it names anywhere, as CLASS:ID."""
        started = {f"{server.server_class}:{server.id}" for server in self.up.servers}
        return frozenset(started.union(self.monitor.expected_servers or ()))

    def server_class(self, name: str) -> ClassSection:
        """Return what it says of a server class."""
        return class_of(self.classes, name)

    def redis_passwords(self) -> Iterator[Location]:
        """Yield the keys of the urls that hold a password."""
        urls: dict[Location, RedisUrl | None] = {
            ("redis", "url"): self.redis.url,
            ("legacy", "redis_url"): self.legacy.redis_url,
        }
        for location, url in urls.items():
            if url is not None and url.password is not None:
                yield location

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
        yield from self._access()
        doubled = {"broker", "dispatcher"}.intersection(self.up.daemons)
        if "hub" in self.up.daemons and doubled:
            yield ("up", "daemons"), f"the hub is {' and '.join(sorted(doubled))}; name one of both"
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
        key = "port" if self.redis.url is None else "url"
        for redis, its_port in self.redis.address.hosts:
            listening["redis", key] = (redis, str(its_port))
        listening["monitor", "port"] = (self.monitor.address, str(self.monitor.port))
        for daemon, address in self.metrics.addresses.items():
            # Servers may run on other machines, and the hub runs in the place of two others.
            if daemon != "hub" and ":" not in daemon:
                host, _, port = address.rpartition(":")
                listening["metrics", "addresses", daemon] = (host, port)
        seen: list[Location] = []
        for location, (host, port) in listening.items():
            for other in seen:
                if port.lstrip("0") and _collide((host, port), listening[other]):
                    yield location, f"is the same address as {'.'.join(map(str, other))}"
                    break
            seen.append(location)

    def _access(self) -> Iterator[tuple[Location, str]]:
        access = self.monitor.access
        if (access.tls_certificate is None) != (access.tls_key is None):
            missing = "tls_key" if access.tls_key is None else "tls_certificate"
            yield ("monitor", "access", missing), "must be given, too: TLS needs both"
        if access.user_header is not None and not access.proxies:
            yield (
                ("monitor", "access", "proxies"),
                "must name the proxies whose user_header is believed",
            )
        if access.user_header is not None and not access.groups:
            yield (
                ("monitor", "access", "groups"),
                "must say what users of the proxy may do, as {shift: operator, '*': viewer}",
            )
        if access.has_login and self.monitor.role not in (None, Role.VIEWER):
            yield (
                ("monitor", "role"),
                "must be viewer, or null, where there is a login: others must log in",
            )

    def reachable_by_strangers(self, *, has_keys: bool = False) -> Iterator[tuple[Location, str]]:
        """Yield which addresses may not be bound as they are; `has_keys`: the broker has its own.

        Whoever binds them asks, too: those who only connect to them need not know.
        """
        if self.security.insecure:
            return
        bound: dict[Location, str] = {}
        if not (has_keys or self.keys.required):
            for key, host in self.broker.bound_hosts().items():
                bound["broker", "bind" if self.broker.bind else key] = host
        if not self.monitor.is_guarded:
            bound["monitor", "address"] = self.monitor.address
        if self.monitor.recodex_zeromq is not None:
            bound["monitor", "recodex_zeromq"] = host_of(self.monitor.recodex_zeromq)
        for daemon, address in self.metrics.addresses.items():
            bound["metrics", "addresses", daemon] = address.rpartition(":")[0]
        for location, host in bound.items():
            if not is_loopback(host):
                advice = PAGE_ADVICE if location == ("monitor", "address") else ADVICE
                advice = BROKER_ADVICE if location[0] == "broker" else advice
                yield location, f"{host} {advice}"


def _collide(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return whether no two sockets can be bound to these hosts and ports at a time."""
    if one[1].lstrip("0") != other[1].lstrip("0"):
        return False
    hosts = {one[0].strip("[]").lower(), other[0].strip("[]").lower()}
    # A name may be that of another machine, where its port is free.
    return len(hosts) == 1 or all(host in _ANY_HOST or is_loopback(host) for host in hosts)


def _resolved_access(access: AnyAccess, beside: Path, key: str) -> AnyAccess:
    password, sentinels = access.password_file, access.sentinel_password_file
    url: RedisUrl | None = getattr(access, key)
    return access.model_copy(
        update={
            key: url and url.beside(beside),
            "password_file": password and beside / password,
            "sentinel_password_file": sentinels and beside / sentinels,
        }
    )


def _resolved_source(source: Source, beside: Path, data: Path) -> Source:
    if not isinstance(source, FileSource):
        return source
    # Pulses are data: not beside an experiment file that may be part of the installation.
    return structs.replace(
        source,
        file=str(beside / source.file),
        pulses=str(data / (source.pulses or "pulses")),
    )
