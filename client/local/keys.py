"""The keys that `shotline up` makes: the broker's, its daemons', and one for its user."""

from collections.abc import Callable, Iterator

from shotline.client.local.daemons import Daemons
from shotline.common.keys.folder import KeysFolder
from shotline.common.keys.peers import PeerRole
from shotline.common.settings.config import Config


def make_keys(daemons: Daemons, tell: Callable[[str], None]) -> None:
    """Make the keys that are missing, unless the configuration says otherwise.

    A broker that runs already stays as it is: without keys it would not know ours. Raise
    ConfigError, in words, where the folder cannot be used.
    """
    config = daemons.config
    runner = config.up.runner_of("broker")
    if runner is None or not config.keys.made_by_up:
        return
    folder = KeysFolder(config.keys.folder)
    if not folder.is_made:
        if config.security.insecure:
            return  # everybody is to get in, also from other hosts
        if any(one.name == runner and one.adopted for one in daemons.central):
            return
        folder.make()
    known = folder.read()
    made = [one for one in _wanted(config) if known.named(one[0]) is None]
    for name, role, classes in made:
        folder.new(name, role, classes)
    if made:
        names = ", ".join(name for name, _, _ in made)
        tell(f"made the keys of {names}, in {folder.folder}")


def _wanted(config: Config) -> Iterator[tuple[str, PeerRole, str]]:
    """Yield names, roles and classes."""
    roles = {
        "dispatcher": PeerRole.DISPATCHER,
        "monitor": PeerRole.MONITOR,
        "watcher": PeerRole.WATCHER,
        "legacy": PeerRole.OPERATOR if config.legacy.commands else PeerRole.VIEWER,
        "qserver": PeerRole.OPERATOR,
        "filterorchestrator": PeerRole.OPERATOR,
        "provider": PeerRole.PROVIDER,
    }
    for daemon in config.up.daemons:
        if daemon in roles:
            yield daemon, roles[daemon], ""
    for server in config.up.servers:
        name = f"{server.server_class}:{server.id}"
        yield name, PeerRole.SERVER, name
    yield "operator", PeerRole.OPERATOR, ""
