"""The configuration of the monitor and of who may see its page. Pure."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from shotline.common.accounts import Role
from shotline.common.settings.sections.values import (
    Bytes,
    Endpoint,
    HeaderName,
    Port,
    PositiveCount,
    Seconds,
    SecondsOrZero,
    Section,
    Switch,
)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be an address or a network, as 127.0.0.1 or 10.1.2.0/24") from None


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
