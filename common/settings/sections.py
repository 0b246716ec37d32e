"""The configuration's sections: every key, its unit, its default and its limits.

How a file, the environment and options become one `Config`, and what is checked between sections,
is `config`'s business. Every key is described here, shown in `etc/config.yaml`, and part of
`etc/config.schema.json`; tests hold the three together.
"""

import ipaddress
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
)

from shotline.common.accounts import Role
from shotline.common.endpoint import endpoint, host_and_port
from shotline.common.fleet.settings import zone_of
from shotline.common.nodes import LABEL, DispatchOptions, Source
from shotline.common.queue.kinds import PlanKind
from shotline.common.redis.url import RedisUrl
from shotline.common.settings.limits import TaskLimits
from shotline.common.settings.model import OF_STRUCTS, Model

OWN_PASSWORD: Final = "password"
"""The file, in the folder of our own Redis server, that holds its password."""


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be an address or a network, as 127.0.0.1 or 10.1.2.0/24") from None


def _id_text(value: object) -> object:
    # The one text that people write as a number: `id: 1`.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _redis_url(value: object) -> object:
    if isinstance(value, str):
        return RedisUrl.parse(value)
    if not isinstance(value, RedisUrl):
        raise ValueError("must be text")  # pydantic's
    return value


Seconds = Annotated[float, Field(gt=0, le=86400 * 365, strict=True)]
SecondsOrZero = Annotated[float, Field(ge=0, le=86400 * 365, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Bytes = Annotated[int, Field(ge=1, le=2**53, strict=True)]
Switch = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
RedisAddress = Annotated[
    InstanceOf[RedisUrl],
    BeforeValidator(_redis_url),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
HostAndPort = Annotated[str, AfterValidator(host_and_port)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=64)]
MdsipUrl = Annotated[str, Field(min_length=1, max_length=1024)]
ServerClass = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
_IdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=32)]
ServerId = Annotated[_IdText, BeforeValidator(_id_text, json_schema_input_type=_IdText | int)]
Label = Annotated[str, Field(pattern=LABEL, max_length=64)]
ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$", max_length=200)]
PlanKindName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
TreeName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]


class Section(Model):
    """A part of the configuration. Unknown keys are refused, every key is described."""

    model_config = ConfigDict(populate_by_name=True)


class BrokerSection(Section):
    """Where the broker is, and when it calls a peer lost."""

    clients: Endpoint = Field(
        "tcp://127.0.0.1:5570",
        description="Address for the dispatcher, the monitor, supervisors and the command line.",
    )
    servers: Endpoint = Field("tcp://127.0.0.1:5571", description="Address for the action servers.")
    events: Endpoint = Field(
        "tcp://127.0.0.1:5572",
        description="Address at which observers subscribe to what happens.",
    )
    bind: str | None = Field(
        None,
        description="Network interface or IP address that the broker binds to with the ports of "
        "the three addresses; null: the hosts in the addresses themselves.",
    )
    heartbeat_s: Seconds = Field(1.0, description="Every peer says this often that it is alive.")
    suspect_beats: PositiveCount = Field(
        2, description="After so many missed heartbeats a peer is suspect and gets no new work."
    )
    server_lost_s: Seconds = Field(
        10.0, description="A server that was silent for this long is lost; its actions too."
    )
    probe_s: Seconds = Field(
        1.0,
        description="Time for a server to answer when another one registers under its name; "
        "one that stays silent is replaced.",
    )
    high_water_mark: PositiveCount = Field(
        100_000, description="Messages that may wait in a socket for one peer."
    )
    message_bytes_max: Annotated[Bytes, Field(ge=2**20)] = Field(
        16 * 1024 * 1024, description="Larger messages are refused, and their sender cut off."
    )
    observer_topics_bytes_max: Bytes = Field(
        256 * 1024,
        description="Bytes of the topics that one observer of the events may subscribe to; one "
        "with more is cut off.",
    )
    topics_bytes_max: Bytes = Field(
        2 * 1024 * 1024, description="Bytes of the topics of all observers together."
    )
    clients_max: PositiveCount = Field(
        1000, description="Clients that may be connected at a time; further ones are refused."
    )
    servers_max: PositiveCount = Field(
        1000, description="Action servers that may be registered; further ones are refused."
    )

    @property
    def suspect_s(self) -> float:
        """A silence as long as this makes a peer suspect."""
        return self.suspect_beats * self.heartbeat_s

    def bound_hosts(self) -> dict[str, str]:
        """Return the host that each TCP address is bound to, by key."""
        hosts = {}
        for key, address in self.endpoints().items():
            if address.startswith("tcp://"):
                hosts[key] = self.bind or address.removeprefix("tcp://").rpartition(":")[0]
                if ":" in hosts[key] and not hosts[key].startswith("["):
                    hosts[key] = f"[{hosts[key]}]"
        return hosts

    def bound_endpoints(self) -> dict[str, str]:
        """Return the address that the broker binds each of its sockets to, by key."""
        hosts = self.bound_hosts()
        return {
            key: f"tcp://{hosts[key]}:{address.rpartition(':')[2]}" if key in hosts else address
            for key, address in self.endpoints().items()
        }

    def endpoints(self) -> dict[str, str]:
        """Return the three addresses to connect to, by key."""
        return {"clients": self.clients, "servers": self.servers, "events": self.events}


class RedisAccess(Section):
    """How a Redis server is reached, whatever it is for."""

    password_file: Path | None = Field(
        None,
        description="File that holds the password and nothing else, of mode 0600; null: what "
        "systemd's credential holds: redis_password, or legacy_redis_password for the bridge.",
    )
    sentinel_password_file: Path | None = Field(
        None,
        description="Likewise for the Sentinels: redis_sentinel_password, or "
        "legacy_redis_sentinel_password.",
    )
    timeout_s: Seconds = Field(
        5.0, description="A Redis server that does not answer for this long counts as away."
    )

    credential: ClassVar[str]
    """What the names of its credentials of systemd begin with."""

    @property
    @abstractmethod
    def address(self) -> RedisUrl:
        """Where it is."""

    @property
    def secret_file(self) -> Path | None:
        """The file of its password; None: there is no file."""
        return self.password_file


class RedisSection(RedisAccess):
    """The Redis server in which the dispatcher keeps action state and logs."""

    credential = "redis"

    url: RedisAddress | None = Field(
        None,
        description="redis://USER@HOST:PORT/DB, rediss:// with TLS, unix://FILE, or "
        "redis-sentinel://HOST:PORT,HOST:PORT/DB?master=NAME; null: `shotline up` starts a server "
        "of its own on 127.0.0.1.",
    )
    port: Port = Field(5573, description="Port of the server of our own.")
    folder: Path = Field(
        Path("redis"), description="Folder of our own server's data, inside `data_folder`."
    )
    key_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=64)] = Field(
        "shotline:",
        description="What all keys of the journal begin with; Shotlines that share a database have "
        "different ones, none of which begins with another.",
    )
    append_fsync: Literal["everysec", "always", "any"] = Field(
        "everysec",
        description="The least durable append-only setting that is in order; the dispatcher warns "
        "at its start when the server's is less. any: no warning.",
    )
    retry_s: Seconds = Field(1.0, description="While Redis is away, it is tried again this often.")

    @property
    def address(self) -> RedisUrl:
        """Where it is, also when the server is our own."""
        return self.url or RedisUrl("redis", (("127.0.0.1", self.port),))

    @property
    def secret_file(self) -> Path | None:
        """The file of its password; our own server has one in its folder."""
        ours = None if self.url else self.folder / OWN_PASSWORD
        return self.password_file or ours


class JournalSection(Section):
    """What the dispatcher writes down, for how long, and where while Redis is away."""

    spill_file: Path = Field(
        Path("journal.spill"),
        description="File that takes commits while Redis is away, inside `data_folder`.",
    )
    spill_bytes_max: Bytes = Field(
        256 * 1024 * 1024, description="At this size nothing new starts; running work goes on."
    )
    keep_shots: PositiveCount = Field(
        100, description="Shots kept per experiment; older ones that are not open are removed."
    )
    output_bytes_max: Bytes = Field(
        10 * 1024 * 1024,
        description="Output stored per attempt; a note stands where the rest was cut.",
    )
    audit_lines_max: PositiveCount = Field(
        100_000, description="Lines of the audit that are kept, about; older ones are removed."
    )
    audit_days: PositiveCount = Field(400, description="Days after which they are removed.")


class KeptSection(Section):
    """Shots in files of their own, which are looked at beside those in Redis."""

    folder: Path = Field(
        Path("kept"),
        description="Folder of the files, inside `data_folder`; imported shots come into it.",
    )
    bytes_max: Bytes = Field(
        10 * 1024**3, description="Of all files in it; beyond that nothing is imported."
    )


class DispatcherSection(Section):
    """When the dispatcher gives up waiting, and how much it remembers."""

    server_grace_s: SecondsOrZero = Field(
        5.0,
        description="A class without a server for this long makes its ready actions SERVER_OFF.",
    )
    recovery_s: SecondsOrZero = Field(
        3.0, description="After a start, servers' reports are collected this long; nothing starts."
    )
    resume_within_s: SecondsOrZero = Field(
        60.0,
        description="After a restart, an open run goes on by itself when it was active less than "
        "this ago (wall clock); otherwise it is HELD until somebody resumes it.",
    )
    delivery_s: Seconds = Field(
        2.0,
        description="A dispatch that did not arrive in this time makes its server register anew.",
    )
    tree_timeout_s: Seconds = Field(
        30.0, description="Time for reading a tree, creating a pulse or raising an event."
    )
    url_wait_s: Seconds = Field(
        60.0,
        description="An action that waited this long for a busy mdsip url becomes SERVER_OFF.",
    )
    time_zone: str = Field(
        "UTC",
        description="Of the hours and maintenance windows of servers that name none (an IANA name, "
        "as Europe/Berlin).",
    )
    server_command: Path | None = Field(
        None,
        description="The site's script that starts servers for `shotline fleet add`, beside the "
        "configuration file; null: that of `monitor.server_command`, else the one that came with "
        "the installation.",
    )
    server_command_timeout_s: Seconds = Field(60.0, description="It is ended when it takes longer.")
    source_look_s: Seconds = Field(
        2.0,
        description="The answer of a run that begins waits this long for the look whether the "
        "source of its tables has changed, and so does the run where a change refuses it; then it "
        "says that nobody knows.",
    )
    commands_remembered_max: PositiveCount = Field(
        10_000, description="Answered commands whose repetition gets the same answer."
    )
    shots_loaded_max: PositiveCount = Field(
        5, description="Shots held in memory; closed ones beyond it are read again when needed."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        zone_of(name)
        return name


class HealthSection(Section):
    """A check of the host by a program of the site."""

    command: tuple[str, ...] = Field(
        (),
        description="Program and arguments, run without a shell by one of the host's servers; any "
        "exit code but 0 keeps work from all of them, with its output as the reason. []: none.",
    )
    every_s: Seconds = Field(60.0, description="It is run this often.")
    timeout_s: Seconds = Field(
        10.0, description="It is killed when it takes longer; the host then counts as not well."
    )
    resumes: Switch = Field(
        True,
        description="true: servers take work again once it is well. false: they are drained, until "
        "somebody lets them.",
    )


class ActionServerSection(Section):
    """How an action server runs tasks and how much of their output it takes."""

    slots: Annotated[int, Field(ge=0, le=1024, strict=True)] = Field(
        1, description="Actions that run at a time, each in a process; 0: as many as CPUs."
    )
    kill_grace_s: SecondsOrZero = Field(
        0.5, description="Time between TERM and KILL when a task is ended."
    )
    kill_wait_s: Seconds = Field(
        5.0,
        description="What is not gone this long after KILL settles with its outcome unknown; "
        "its slot stays taken and is shown STUCK.",
    )
    on_return: Literal["finish", "end"] = Field(
        "finish",
        description="What a server that was counted as lost does with what it still runs: "
        "finish: it runs on and its results are late. end: it is ended first.",
    )
    task_timeout_s: Seconds | None = Field(
        None, description="Time limit of actions that have none of their own; null: no limit."
    )
    task_path: tuple[Path, ...] | None = Field(
        None,
        description="Folders of the modules that Python tasks name, beside the configuration file; "
        "null: the folder in which the server was started. They come behind what is installed and "
        "what PYTHONPATH names.",
    )
    limits: TaskLimits = Field(TaskLimits(), description="What a task may use.")
    preload: dict[ServerClass, tuple[ModuleName, ...]] = Field(
        {},
        description="Modules by server class that each worker loads before it takes a task; one "
        "that cannot be loaded keeps the worker from starting, with its reason.",
    )
    labels: tuple[Label, ...] = Field(
        (),
        description="What the site calls these servers, as [fast-disk, hall-2]: an action with one "
        "of them as its `label` runs on no others.",
    )
    facts_s: Seconds = Field(
        5.0, description="The host is measured this often, and told beside the heartbeats."
    )
    disks: tuple[Path, ...] = Field(
        (), description="Folders, beside the configuration file, whose file systems are measured."
    )
    health: HealthSection = Field(HealthSection(), description="A check of the host.")
    results_max: PositiveCount = Field(
        1000, description="Results not yet stored; at this number the server takes no work."
    )
    output_lines_max: PositiveCount = Field(
        1_000_000, description="Lines of output per attempt; a note stands where the rest was cut."
    )
    output_bytes_max: Bytes = Field(
        64 * 1024 * 1024, description="Bytes of output per attempt, cut in the same way."
    )
    output_line_bytes_max: Annotated[int, Field(ge=80, le=2**24, strict=True)] = Field(
        64 * 1024, description="A longer line is split."
    )
    output_window_bytes: Bytes = Field(
        4 * 1024 * 1024,
        description="Output of one attempt that is not stored yet; beyond it the task's pipe is "
        "not read, and the task waits when it is full.",
    )
    held_bytes_max: Bytes = Field(
        256 * 1024 * 1024,
        description="Output of all attempts that is not stored yet; beyond it the server takes no "
        "work.",
    )
    output_hold_s: SecondsOrZero = Field(
        0.005, description="Output is gathered this long before it is sent."
    )
    fold_s: SecondsOrZero = Field(
        0.005, description="The start of an action that ends within this time is sent with its end."
    )
    state_folder: Path = Field(
        Path("servers"),
        description="Folder of the files that tell a new server what an old one left running, "
        "inside `data_folder`.",
    )
    mdsip_url: MdsipUrl | None = Field(
        None,
        description="Url of the mdsip server that runs this server's MDSplus tasks; null: the "
        "experiment's own, as its `source` says.",
    )
    mdsip_connect_timeout_s: Seconds = Field(
        10.0, description="Time limit of making a connection to an mdsip server that runs tasks."
    )
    mdsip_keep_alive_s: int = Field(
        15, ge=1, description="A silent connection is tested this often, and lost after 4 of them."
    )


class ExperimentSection(Section):
    """Where an experiment's actions are declared, and how they are dispatched."""

    source: Annotated[Source, OF_STRUCTS] = Field(description="Where its tree is found.")
    options: Annotated[DispatchOptions, OF_STRUCTS] | None = Field(
        None,
        description="How its actions are dispatched; null: as its experiment file says, "
        "else the defaults.",
    )
    kinds: dict[PlanKindName, Annotated[PlanKind, OF_STRUCTS]] = Field(
        {}, description="Kinds of pulse plans of this experiment, beside those of `queue`."
    )
    next_shot: Literal["known", "site"] = Field(
        "known",
        description="The next shot of the queue: `known`, one above all that are known here; "
        "`site`, the site's current shot number, raised by one.",
    )


class AccessSection(Section):
    """Who may use the page, and how it is reached."""

    users_file: Path | None = Field(
        None,
        description="File of users and tokens, made by `shotline users`, beside the configuration "
        "file: who uses the page logs in. null: no login by password.",
    )
    session_s: Seconds = Field(43_200.0, description="A login ends after this time.")
    session_idle_s: Seconds = Field(
        3_600.0, description="It ends sooner when no page has been open for this long."
    )
    sessions_max: PositiveCount = Field(
        1000, description="Logins at a time; of more that which was not used for longest is ended."
    )
    proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For, "
        "X-Forwarded-Proto and user headers are believed.",
    )
    proxy_secret_file: Path | None = Field(
        None,
        description="File with a secret that such a proxy shows in the header X-Shotline-Proxy, so "
        "that nobody else on its host is taken for it.",
    )
    user_header: HeaderName | None = Field(
        None, description="Header in which such a proxy vouches for a user; null: it does not."
    )
    groups_header: HeaderName | None = Field(
        None, description="Header in which it lists the user's groups, with commas."
    )
    groups: dict[str, Role] = Field(
        {},
        description="What the members of each group may do; `*`: all users who are vouched for.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="Certificate with its chain, beside the configuration file: the monitor serves "
        "HTTPS itself. A renewed one is taken without a restart.",
    )
    tls_key: Path | None = Field(None, description="The certificate's private key.")
    lease: Switch = Field(
        False,
        description="true: one person at a time controls the experiment from pages; who takes over "
        "says so, and it is logged. Ending something is possible for all operators.",
    )
    lease_idle_s: Seconds = Field(900.0, description="Control that is not used is free after this.")

    @property
    def has_login(self) -> bool:
        """Whether it is known who asks."""
        return self.users_file is not None or self.user_header is not None


class MonitorSection(Section):
    """The page, the HTTP interface and the WebSockets."""

    address: str = Field("127.0.0.1", description="Address that the monitor binds to.")
    port: Port = Field(5580, description="Port of the page, the HTTP interface and WebSockets.")
    hosts: tuple[str, ...] = Field(
        (),
        description="Further names, as HOST or HOST:PORT, by which browsers reach it, as behind a "
        "proxy; requests for any other name are refused.",
    )
    role: Role | None = Field(
        None,
        description="What those may do who have not logged in: viewer (only look), operator or "
        "administrator. null: nothing where there is a login, else everything.",
    )
    access: AccessSection = Field(AccessSection(), description="Logins, proxies and TLS.")
    connections_max: PositiveCount = Field(
        1000,
        description="Connections that may be open at a time; further ones are answered that there "
        "are too many. Never more than the descriptors that the process may have.",
    )
    address_connections_max: PositiveCount = Field(
        300,
        description="Connections from one network address, but that of a proxy in access.proxies; "
        "behind that WebSockets from one address.",
    )
    viewers_max: PositiveCount = Field(
        500, description="WebSockets that may be open at a time; further ones are refused."
    )
    viewer_channels_max: PositiveCount = Field(
        100, description="Channels that one WebSocket may subscribe to."
    )
    viewer_queue_bytes_max: Bytes = Field(
        4 * 1024 * 1024,
        description="What may wait for one slow WebSocket; beyond it one of the subscribe form "
        "gets merged updates, and any other is closed.",
    )
    gather_s: SecondsOrZero = Field(
        0.05, description="Messages are gathered this long and then sent in one frame."
    )
    merge_beyond: PositiveCount = Field(
        200, description="More messages than this are merged for WebSockets of the subscribe form."
    )
    retention_s: SecondsOrZero = Field(
        300.0, description="A channel is kept for this long after its end, and then dropped."
    )
    shots_max: PositiveCount = Field(
        10, description="Shots whose channels are kept; the one that was quiet longest goes first."
    )
    history_bytes_max: Bytes = Field(
        32 * 1024 * 1024, description="History of one channel; the oldest messages are cut."
    )
    histories_bytes_max: Bytes = Field(
        256 * 1024 * 1024, description="History of all channels; the longest is cut first."
    )
    log_lines_max: PositiveCount = Field(5_000, description="Lines kept on the channel `log`.")
    shots_listed_max: PositiveCount = Field(
        1000, description="Shots that the page can choose from; the oldest are listed no more."
    )
    heartbeats_max: PositiveCount = Field(120, description="Heartbeats kept of each server.")
    servers_gone_max: int = Field(
        100,
        ge=0,
        description="Servers shown that are neither there nor expected; of more the last ones.",
    )
    median_shots: PositiveCount = Field(
        10, description="The usual duration of an action is the median of so many last shots."
    )
    slow_factor: Annotated[float, Field(gt=1, le=1000, strict=True)] = Field(
        1.5, description="An action that takes so many times its usual duration is shown as slow."
    )
    expected_servers: tuple[str, ...] | None = Field(
        None,
        description="Servers, as CLASS:ID, that are shown also while they are absent; null: those "
        "that `up` starts.",
    )
    server_command: Path | None = Field(
        None,
        description="The site's script that starts, restarts and ends action servers, beside the "
        "configuration file; null: a `shotline up` that runs them is asked, else the script that "
        "came with the installation uses systemd.",
    )
    server_command_timeout_s: Seconds = Field(60.0, description="It is ended when it takes longer.")
    command_line_timeout_s: Seconds = Field(
        600.0, description="A custom command is ended when it takes longer; its run goes on."
    )
    answer_bytes_max: Bytes = Field(
        1024 * 1024, description="Output of a script or custom command; the rest is left out."
    )
    recodex_zeromq: Endpoint | None = Field(
        None,
        description="Address at which ReCodEx's own progress messages are taken; null: none are.",
    )

    @property
    def anonymous(self) -> Role | None:
        """What those may do who have not logged in."""
        if self.role is None and not self.access.has_login:
            return Role.ADMINISTRATOR
        return self.role

    @property
    def is_guarded(self) -> bool:
        """Whether strangers can do nothing, and nobody can listen on the way."""
        return self.access.has_login and self.access.tls_certificate is not None

    @property
    def page(self) -> str:
        """The address of the page."""
        host = self.address.strip("[]")
        scheme = "http" if self.access.tls_certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"


LegacyCommand = Literal[
    "create_pulse",
    "build_tables",
    "do_phase",
    "do_sequence",
    "abort",
    "abort_pending",
    "print_pending",
    "quit",
    "dispatch",
    "server_restart",
    "server_stop",
    "server_quit",
]


class LegacySection(RedisAccess):
    """The bridge for programs that were written for the MDSplus Redis dispatcher."""

    credential = "legacy_redis"

    redis_url: RedisAddress = Field(
        RedisUrl.parse("redis://127.0.0.1:6379/0"),
        description="The Redis server of those programs, as `redis.url`. It may be the one in "
        "which Shotline keeps its journal.",
    )
    trees: tuple[TreeName, ...] | None = Field(
        None, description="Experiments that those programs see and drive; null: all."
    )
    commands: tuple[LegacyCommand, ...] = Field(
        get_args(LegacyCommand),
        description="Commands of those programs that are carried out; others are refused. []: they "
        "only see. `dispatch` and `server_…` are what they say to servers.",
    )
    replace_pulse: Switch = Field(
        False,
        description="true: their create_pulse makes the pulse of a shot that exists anew, as the "
        "Redis dispatcher does; false: it is refused, and the pulse stays as it is.",
    )
    output_bytes_max: Bytes = Field(
        1024 * 1024, description="Output of an action that they see; the rest is left out."
    )
    shots_max: PositiveCount = Field(
        10, description="Shots that are followed; of others the keys stay as they are."
    )

    @property
    def address(self) -> RedisUrl:
        """Where the Redis server of those programs is."""
        return self.redis_url


class UpServer(Section):
    """One action server that `shotline up` starts."""

    server_class: ServerClass = Field(alias="class", description="Server class (MDSplus ident).")
    id: ServerId = Field("1", description="What tells servers of one class apart.")
    slots: Annotated[int, Field(ge=0, le=1024, strict=True)] | None = Field(
        None, description="Actions that run at a time; null: as in `action_server`."
    )
    mdsip_url: MdsipUrl | None = Field(
        None, description="This server's own mdsip server; null: as in `action_server`."
    )
    labels: tuple[Label, ...] | None = Field(
        None, description="This server's own labels; null: as in `action_server`."
    )


class UpSection(Section):
    """What `shotline up` runs on this machine, in the order of their start."""

    daemons: tuple[
        Literal[
            "hub",
            "broker",
            "dispatcher",
            "monitor",
            "watcher",
            "legacy",
            "qserver",
            "filterorchestrator",
            "provider",
        ],
        ...,
    ] = Field(
        ("hub", "monitor"),
        description="Daemons; hub: broker and dispatcher in one process. With the dispatcher "
        "also Redis, where `redis.url` is null.",
    )
    servers: tuple[UpServer, ...] = Field((), description="Action servers.")
    start_s: Seconds = Field(30.0, description="Time for each of them to become ready.")
    stop_s: Seconds = Field(10.0, description="Time for each of them to end before it is killed.")
    restart: bool = Field(
        True, description="Whether what hangs, or ends by itself, is started again."
    )
    restart_s: Seconds = Field(
        1.0, description="Time before that; after each further loss twice as long."
    )
    restart_s_max: Seconds = Field(
        60.0,
        description="The longest such time; what has run for so long begins with `restart_s` anew.",
    )
    watchdog_s: Seconds | None = Field(
        20.0,
        description="A daemon whose loop gives no sign of life for so long hangs, and is killed; "
        "null: that is not looked at.",
    )

    def runner_of(self, part: Literal["broker", "dispatcher"]) -> str | None:
        """Return the daemon here that is the broker, or the dispatcher; None: it runs elsewhere."""
        return next((one for one in ("hub", part) if one in self.daemons), None)


class DebugSection(Section):
    """What is for rehearsals and for the search for faults."""

    rehearsals: bool = Field(
        False,
        description="Whether `shotline debug hang DAEMON` and `shotline debug crash DAEMON` may "
        "let a daemon hang or end, so that a site can rehearse what happens then.",
    )


class LoggingSection(Section):
    """Where daemons log."""

    file: str | None = Field(
        None,
        description="File name, inside `data_folder`; {program} becomes the daemon's name. "
        "null: standard error, which systemd keeps in the journal, and `shotline up` in "
        "log/NAME.log.",
    )
    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="The least severe level that is logged."
    )
    format: Literal["text", "json"] = Field(
        "text",
        description="text: lines for people. json: one object a line, with the shot, action and "
        "attempt that it is about.",
    )
    times: Literal["local", "utc"] = Field(
        "local",
        description="In which time lines of text are, each with its zone. JSON is in UTC always.",
    )
    max_size: Bytes = Field(
        1024 * 1024, alias="max-size", description="Bytes after which a file is rotated."
    )
    rotations: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        3, description="Old files that are kept."
    )

    @field_validator("file")
    @classmethod
    def _one_file_per_daemon(cls, file: str | None) -> str | None:
        if file is not None and "{program}" not in file:
            raise ValueError("must contain {program}: several daemons cannot rotate one file")
        return file

    def file_of(self, program: str) -> Path | None:
        """Return a daemon's log file; None for standard error."""
        return None if self.file is None else Path(self.file.replace("{program}", program))


DaemonName = Annotated[
    str,
    Field(
        pattern=r"^(broker|dispatcher|hub|monitor|watcher|legacy|qserver|filterorchestrator|provider|[A-Za-z][A-Za-z0-9_.-]*:[A-Za-z0-9_.-]+)$",
        max_length=97,
    ),
]


class MetricsSection(Section):
    """Where Prometheus collects what the daemons count and measure."""

    addresses: dict[DaemonName, HostAndPort] = Field(
        {},
        description="Address as HOST:PORT by daemon: broker, dispatcher, hub, monitor, legacy, "
        "watcher, qserver, filterorchestrator, provider, or an action server's CLASS:ID. Others "
        "have none.",
    )

    def address_of(self, daemon: str) -> tuple[str, int] | None:
        """Return host and port of a daemon's address; None where it has none."""
        address = self.addresses.get(daemon)
        if address is None:
            return None
        host, _, port = address.rpartition(":")
        return host, int(port)


class KeysSection(Section):
    """The keys by which the broker and its peers know each other."""

    folder: Path = Field(
        Path("keys"),
        description="Folder of keys, inside `data_folder`, made by `shotline keys init` or by "
        "`shotline up`. Where the broker finds its own key there, it lets nobody in without one, "
        "and each may do what its key is for; else everybody may do everything. Every program "
        "finds its own there: NAME.key, where NAME is dispatcher, monitor, watcher, legacy, "
        "qserver, filterorchestrator, provider, a server's CLASS:ID or CLASS, and for commands "
        "operator or viewer.",
    )
    file: Path | None = Field(
        None,
        description="The one key of all that read this file, beside it; null: systemd's credential "
        "shotline_key (the broker's: shotline_broker_key), else the one in `folder`.",
    )
    required: Switch = Field(
        False, description="true: no program begins without its key, and the broker lets none in."
    )
    made_by_up: Switch = Field(
        True,
        description="`shotline up` makes the keys of all that it starts, and one for the commands "
        "of its user, unless `security.insecure` is true. false: it uses those that are there.",
    )


class SecuritySection(Section):
    """Who may connect."""

    insecure: Switch = Field(
        False,
        description="true: sockets may be bound beyond this machine although anyone who reaches "
        "them may then command the experiment.",
    )
