"""What the shell may put in the place of a word: trees, shots, phases, paths, servers.

Known from the configuration and, within a short deadline, from the dispatcher. Where nobody answers
nothing is said: the shell then completes what the configuration knows. What the shells themselves
want is `completion_bash`'s and click's.

Somebody has pressed a key: what asks is imported when there is something to ask (see `later`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.shell_completion import CompletionItem

from shotline.common.errors import ConfigError, ShotlineError

if TYPE_CHECKING:
    from shotline.client.methods import Commands
    from shotline.common.settings.config import Config
    from shotline.common.views import ActionView, ServerView, StatusResult

ASK_S: Final = 1.0
"""How long the dispatcher is waited for: somebody has pressed a key."""

_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_WORDS: Final = re.compile(r"\[|\]|[^\s\[\]]+")


class Known:
    """What configuration and dispatcher know, each asked at most once and only when wanted."""

    def __init__(
        self, config: Path | None, connect: Callable[[], AbstractContextManager[Commands]]
    ) -> None:
        self._config_file = config
        self._connect = connect
        self._connected = contextlib.ExitStack()

    @cached_property
    def _config(self) -> Config | None:
        from shotline.common.settings.config import load_config

        try:
            return load_config(self._config_file)
        except (ConfigError, OSError):
            return None

    @cached_property
    def _supervisor(self) -> Commands | None:
        try:
            return self._connected.enter_context(self._connect())
        except (ShotlineError, OSError):
            return None

    @cached_property
    def _status(self) -> StatusResult | None:
        with contextlib.suppress(ShotlineError):
            return self._supervisor.status() if self._supervisor is not None else None
        return None

    def close(self) -> None:
        """Say goodbye, where somebody was asked."""
        self._connected.close()

    @cached_property
    def trees(self) -> list[str]:
        """The experiments."""
        configured = self._config.experiments if self._config is not None else ()
        seen = {shot.tree for shot in self._status.shots} if self._status is not None else set()
        return sorted(seen.union(configured))

    def shots(self, tree: str) -> list[int]:
        """The shots of an experiment, the newest first."""
        if self._status is None:
            return []
        shots = {shot.shot for shot in self._status.shots if shot.tree == tree.upper()}
        return sorted(shots, reverse=True)

    def phases(self, tree: str | None, shot: int | None) -> list[str]:
        """The phases of a shot, or of the current pulse, in their order."""
        if self._status is None:
            return []
        wanted = self._status.current if tree is None else (tree.upper(), shot)
        found = [one.phases for one in self._status.shots if (one.tree, one.shot) == wanted]
        return list(found[0]) if found else []

    def actions(self, tree: str | None, shot: int | None) -> tuple[ActionView, ...]:
        """The actions of a shot, or of the current pulse."""
        with contextlib.suppress(ShotlineError):
            if self._supervisor is not None:
                return self._supervisor.actions(tree, shot).actions
        return ()

    @property
    def present(self) -> list[ServerView]:
        """The servers that are there."""
        servers = self._status.servers if self._status is not None else ()
        return [server for server in servers if server.liveness in ("alive", "suspect")]

    @cached_property
    def servers(self) -> list[str]:
        """Every server, as CLASS:ID: those that are there, and those of the configuration."""
        names = {server.server for server in self.present}
        if self._config is not None:
            names |= self._config.named_servers
        return sorted(names)

    @property
    def classes(self) -> list[str]:
        """Every server class."""
        return sorted({name.partition(":")[0] for name in self.servers})


class Place:
    """A word that is to be completed: what stands before it, and what it may be."""

    def __init__(self, known: Known, before: dict[str, str], incomplete: str) -> None:
        self._known = known
        self._before = before
        self._incomplete = incomplete

    def candidates(self, kind: str) -> Iterable[str]:
        """Return what a word of this kind may be."""
        known, tree = self._known, self._before.get("TREE")
        match kind:
            case "TREE":
                return self._trees()
            case "SHOT":
                return map(str, known.shots(tree or ""))
            case "NEW_SHOT":
                return [str(known.shots(tree or "")[0] + 1)] if known.shots(tree or "") else []
            case "PHASE":
                return known.phases(tree, self._shot)
            case "PATH" | "PATH|ANY":
                return self._paths(kind)
            case "CLASS":
                classes = {action.server_class for action in known.actions(tree, self._shot)}
                return sorted(classes) or known.classes
            case "SERVER":
                return [*known.classes, *known.servers]
            case "URL":
                return sorted({server.url for server in known.present if server.url})
        return []

    @property
    def _shot(self) -> int | None:
        shot = self._before.get("SHOT")
        return int(shot) if shot is not None else None

    def _trees(self) -> Iterator[str]:
        """Yield the trees; once there is a slash, TREE/SHOT in one word."""
        tree, slash, _ = self._incomplete.partition("/")
        if slash:
            yield from (f"{tree}/{shot}" for shot in self._known.shots(tree))
        else:
            yield from self._known.trees

    def _paths(self, kind: str) -> list[str]:
        """Return the names of actions, and the path where a name is not one action's alone."""
        server, only = self._before.get("SERVER"), self._before.get("CLASS")
        if server is not None:
            return [
                attempt.partition(" ")[2]
                for one in self._known.present
                if server in (one.server_class, one.server)
                for attempt in one.busy
            ]
        found = [
            action
            for action in self._known.actions(self._before.get("TREE"), self._shot)
            if only in (None, action.server_class)
        ]
        names = [action.name for action in found]
        once = {name for name in names if name and names.count(name) == 1}
        if self._incomplete.startswith("\\"):
            once = set()
        paths = [action.name if action.name in once else action.path for action in found]
        return [*paths, "ANY"] if kind == "PATH|ANY" else paths


def complete(
    metavar: str, given: Sequence[str], incomplete: str, known: Known
) -> list[CompletionItem]:
    """Return what the word after `given` may be, by the command's metavar (`PHASE [TREE/SHOT]`)."""
    if metavar == "[FILE]":
        return [CompletionItem(incomplete, type="file")]
    found: dict[str, None] = {}
    try:
        for form in forms(metavar):
            if len(form) > len(given) and _fits(form, given, known):
                before = dict(zip(form, given, strict=False))
                place = Place(known, before, incomplete)
                found.update(dict.fromkeys(place.candidates(form[len(given)])))
    finally:
        known.close()
    wanted = incomplete.upper()
    return [CompletionItem(word) for word in found if word.upper().startswith(wanted)]


def _fits(form: Sequence[str], given: Sequence[str], known: Known) -> bool:
    """Whether the words so far may be of this form."""
    words = dict(zip(form, given, strict=False))
    if not all(_NUMBER.fullmatch(words.get(kind, "0")) for kind in ("SHOT", "FIRST", "LAST")):
        return False
    if not words or "TREE" not in form:
        return True
    trees = set(known.trees)
    return not trees or all(
        (word.upper() in trees) == (kind == "TREE") for kind, word in words.items()
    )


def forms(metavar: str) -> list[tuple[str, ...]]:
    """Return the words that a metavar allows: `PHASE [TREE/SHOT]` is three forms.

    A shot may stand behind what is meant of it, or before it as old programs have it.
    """
    said = metavar.replace("CLASS[:ID]", "SERVER").replace("TREE/", "TREE ")
    found = _read_forms(iter(_WORDS.findall(said)))
    behind = [form for form in found if len(form) > 2 and form[-2] == "TREE"]
    return [*found, *((*form[-2:], *form[:-2]) for form in behind)]


def _read_forms(words: Iterator[str]) -> list[tuple[str, ...]]:
    """Read up to the end, or to the bracket that closes what is optional."""
    parts: list[list[tuple[str, ...]]] = []
    for word in words:
        if word == "]":
            break
        parts.append([(), *_read_forms(words)] if word == "[" else [(word,)])
    return [tuple(word for part in chosen for word in part) for chosen in product(*parts)]
