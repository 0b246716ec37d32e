"""The command of `shotline` about who may connect to the broker: `keys`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shotline.client.cli import later
from shotline.client.cli.base import command, options_of, plain_lines, say, words, wrong

if TYPE_CHECKING:
    from shotline.common.keys.folder import KeysFolder
    from shotline.common.keys.peers import AuthorisedKey

_VERBS: Final = ("init", "new", "list", "revoke", "bundle", "rotate")
_STEPS: Final = ("begin", "switch", "finish")
_FORMS: Final = (
    "init, new NAME --role ROLE, list, revoke NAME, bundle NAME [FILE], or "
    "rotate [begin | switch | finish]"
)


@command(
    "keys",
    example="shotline keys init\n"
    "shotline keys new MAGNETS:1 --role server --classes MAGNETS\n"
    "shotline keys bundle MAGNETS:1",
)
@words("VERB [NAME] [FILE]", required=True)
@click.option(
    "--role",
    help="What the key is for: server, dispatcher, monitor, provider, watcher, operator, viewer.",
)
@click.option(
    "--classes",
    metavar="PATTERN",
    help="Of a server: the classes that it may serve, as MAGNETS, 'DAQ*', GAS:1, or several with "
    "commas.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of keys; else that of the configuration (keys.folder).",
)
def keys(
    given: tuple[str, ...], role: str | None, classes: str | None, folder: Path | None
) -> None:
    """Say who may connect to the broker, and as what.

    VERB is `init` (the broker's own key: from its next start it lets nobody in without one),
    `new NAME`, `list`, `revoke NAME` (its open connections end within a second), or `bundle NAME`,
    which writes one file for another host: NAME's key and the broker's public key. `rotate` gives
    the broker itself another key, in three steps: `begin` makes it and tells all peers' files,
    `switch` lets it count from the broker's next start on, `finish` makes peers forget the former.
    Do it on the broker's host, as the user that the broker runs as.
    """
    verb, *rest = given
    counts = {
        "init": range(1),
        "new": range(1, 2),
        "list": range(1),
        "revoke": range(1, 2),
        "bundle": range(1, 3),
        "rotate": range(2),
    }
    if verb not in _VERBS or len(rest) not in counts[verb]:
        wrong(f"give {_FORMS}")
    if verb != "new" and (role is not None or classes is not None):
        wrong("--role and --classes go with new NAME")
    place = later.folder.KeysFolder(folder or _configured())
    if verb == "init":
        place.make()
        _say(f"made the broker's key in {place.folder}", {"folder": str(place.folder)})
    elif verb == "list":
        _list(place)
    elif verb == "new":
        _new(place, rest[0], role, classes)
    elif verb == "revoke":
        place.revoke(rest[0])
        _say(f"{rest[0]} is let in no longer", {"revoked": rest[0]})
    elif verb == "rotate":
        _rotate(place, rest[0] if rest else "begin")
    else:
        _bundle(place, rest[0], Path(rest[1]) if len(rest) > 1 else None)


def _configured() -> Path:
    config = later.config.load_config(later.config.find_config(options_of().config))
    found: Path = config.keys.folder
    return found


def _new(place: "KeysFolder", name: str, role: str | None, classes: str | None) -> None:
    roles = list(later.peers.PeerRole)
    if role not in roles:
        wrong(f"give --role: one of {', '.join(roles)}")
    key = place.new(name, later.peers.PeerRole(role), classes or "")
    file = place.file_of(name)
    words = f"{name} is let in as {key.role}{_classes(key.classes)}; its key is {file}"
    _say(words, {"name": name, "role": key.role, "classes": key.classes, "file": str(file)})


def _list(place: "KeysFolder") -> None:
    known = place.read().keys
    if options_of().json:
        told = {"keys": [later.base.as_plain(one) for one in known]}
        say(json.dumps(told | {"rotation": place.rotation.name.lower()}))
        return
    width = max((len(one.name) for one in known), default=0)
    for one in known:
        say(plain_lines(f"{one.name:<{width}}  {one.role:<10}  {_state(one)}"))
    if not known:
        say("no keys but the broker's own")
    if (rotation := place.rotation) is not later.folder.Rotation.NONE:
        say(f"being rotated: {rotation.value}")


def _state(key: "AuthorisedKey") -> str:
    made = f"made {_date(key.created_at)}{_classes(key.classes)}"
    return made if key.revoked_at is None else f"{made}, REVOKED {_date(key.revoked_at)}"


def _bundle(place: "KeysFolder", name: str, file: Path | None) -> None:
    if place.read().named(name) is None:
        wrong(f"there is no key {name} in use; `shotline keys list` shows all")
    text = place.key(name).text()
    where = file or Path(f"{name}{later.folder.SUFFIX}")
    if where.exists():
        wrong(f"{where} is there already; give another FILE")
    later.secret_file.write_secret(where, text)
    _say(
        f"written: {where}; carry it to the other host as it is (mode 0600), and put it into the "
        "folder of keys there, or name it under keys.file",
        {"file": str(where)},
    )


def _rotate(place: "KeysFolder", step: str) -> None:
    if step not in _STEPS:
        wrong(f"rotate {step}: give {', '.join(_STEPS[:-1])} or {_STEPS[-1]}")
    act = {"begin": place.rotate, "switch": place.switch, "finish": place.finish}[step]
    missing = act()
    said = {
        "begin": "the broker's next key is made; carry a new bundle of each peer to its host "
        "(shotline keys bundle NAME), then `shotline keys rotate switch`",
        "switch": "start the broker anew now: it has its new key from then on; running servers and "
        "programs find their way by themselves. Then `shotline keys rotate finish`",
        "finish": "the former key counts nowhere on this host any more; carry new bundles to the "
        "others, which still know it",
    }[step]
    if missing:
        said += f"; without a file here, and so not told: {', '.join(missing)}"
    _say(said, {"step": step, "not_told": missing})


def _classes(classes: str) -> str:
    return f" of {classes}" if classes else ""


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(words: str, fields: dict[str, object]) -> None:
    say(json.dumps(fields) if options_of().json else plain_lines(words))


COMMANDS: tuple[click.Command, ...] = (keys,)
