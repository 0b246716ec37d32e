"""What the doctor sees of keys: those of this machine, and whether the broker knows them."""

from collections.abc import Iterator

from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.common.binding import is_loopback
from shotline.common.errors import ConfigError
from shotline.common.files.secret_file import problem_of
from shotline.common.keys.folder import SUFFIX, KeysFolder, folder_problem
from shotline.common.keys.peers import BROKER, AuthorisedKeys
from shotline.common.settings.config import Config


def keys(config: Config) -> Iterator[Finding]:
    """Look at the folder of keys, and at the file that the configuration names."""
    section = config.keys
    place = KeysFolder(section.folder)
    found = list(_files(config, place))
    yield from found
    if place.is_made:
        try:
            authorised = place.read()
        except ConfigError as error:
            yield problem("keys", str(error), "see docs/security.md")
            return
        more = list(_peers(config, place, authorised))
        yield from more
        if not found and not more:
            used = sum(one.revoked_at is None for one in authorised.keys)
            yield fine("keys", f"the broker lets in those with one of its {used} keys")
    elif any(place.folder.glob(f"*{SUFFIX}")) or section.file is not None:
        if not found:
            yield fine("keys", "this machine has a key for the broker")
    elif all(is_loopback(host) for host in config.broker.bound_hosts().values()):
        text = "there are none: every user of this machine may command the experiment"
        yield warning("keys", text, "shotline keys init, or let shotline up make them")


def _files(config: Config, place: KeysFolder) -> Iterator[Finding]:
    files = [*place.folder.glob(f"*{SUFFIX}"), place.authorised]
    files += [config.keys.file] if config.keys.file is not None else []
    problems = [folder_problem(place.folder), *map(problem_of, sorted(files))]
    for one in filter(None, problems):
        yield problem("keys", one, "as it says; then revoke what others may have read")


def _peers(config: Config, place: KeysFolder, authorised: AuthorisedKeys) -> Iterator[Finding]:
    """Look at the keys of what `shotline up` starts here, and for files that are of no use."""
    for name in needed(config):
        if authorised.named(name) is None and not config.keys.made_by_up:
            yield problem("keys", f"{name} has none", f"shotline keys new {name} --role ...")
    for file in sorted(place.folder.glob(f"*{SUFFIX}")):
        name = file.name.removesuffix(SUFFIX)
        if name == BROKER:
            continue
        try:
            key = place.key(name)
        except ConfigError as error:
            yield problem("keys", str(error), "make it anew: shotline keys revoke, then new")
            continue
        if authorised.of_public(key.public) is None:
            text = f"the broker does not know the key in {file}, or it was revoked"
            yield problem("keys", text, f"remove it, or make it anew: shotline keys new {name}")


def needed(config: Config) -> Iterator[str]:
    """Yield the names of the keys of what `shotline up` starts."""
    for daemon in config.up.daemons:
        if daemon not in ("hub", BROKER):
            yield daemon
    for server in config.up.servers:
        yield f"{server.server_class}:{server.id}"
