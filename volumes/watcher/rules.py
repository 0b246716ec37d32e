"""What a path within a volume is: which rule it is of, and what its name tells. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import field

from shotline.common.base import Value
from shotline.common.settings.sections.volumes import RuleSection

TREE: Final = ".tree"
COMPANIONS: Final = (".characteristics", ".datafile")
_MDSPLUS: Final = re.compile(r"(?:.*/)?(?P<tree>[A-Za-z]\w*?)_(?P<shot>\d+)\.tree", re.DOTALL)


def glob_of(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern: `*` and `?` within a name, `**` any folders."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:[^/]+/)*", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return re.compile(out, re.DOTALL)


class Found(Value):
    """A path that a rule fits: the path of its main file, and what the name tells."""

    rule: "Rule"
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def companions(self) -> tuple[str, ...]:
        """The paths of the other files that belong to it."""
        if self.rule.section.ids.by != "mdsplus":
            return ()
        return tuple(self.path.removesuffix(TREE) + suffix for suffix in COMPANIONS)

    @property
    def marker(self) -> str | None:
        """The path of the file that says that it is complete, where its rule has one."""
        complete = self.rule.section.complete
        if complete.when != "marker":
            return None
        folder, slash, name = self.path.rpartition("/")
        stem = f"{folder}{slash}{name.rpartition('.')[0] or name}"
        return complete.marker.replace("{path}", self.path).replace("{stem}", stem)

    def number(self, name: str) -> int | None:
        """Return a number that the name tells; None where it tells none."""
        text = self.fields.get(name, "")
        return int(text) if text.isdecimal() and len(text) <= 15 else None


class Rule:
    """A rule that was made ready to be asked."""

    def __init__(self, name: str, section: RuleSection) -> None:
        self.name = name
        self.section = section
        self._pattern = glob_of(section.pattern)
        given = section.ids.expression
        is_mdsplus = section.ids.by == "mdsplus"
        self._expression = re.compile(given) if given else _MDSPLUS if is_mdsplus else None

    def found(self, path: str) -> Found | None:
        """Return what a path is by this rule, None where it does not fit."""
        if self.section.ids.by == "mdsplus":
            for suffix in COMPANIONS:
                if path.endswith(suffix):
                    path = path.removesuffix(suffix) + TREE
        if not self._pattern.fullmatch(path):
            return None
        if self._expression is None:
            return Found(self, path)
        match = self._expression.fullmatch(path)
        if match is None:
            return None
        told = {name: text for name, text in match.groupdict().items() if text is not None}
        return Found(self, path, told)


class Rules:
    """The rules of one volume. The first that fits counts."""

    def __init__(self, volume: str, sections: Mapping[str, RuleSection]) -> None:
        self.all = [Rule(name, one) for name, one in sections.items() if one.volume == volume]
        self.has_markers = any(one.section.complete.when == "marker" for one in self.all)

    def found(self, path: str) -> Found | None:
        """Return what a path is, None where no rule fits."""
        for rule in self.all:
            found = rule.found(path)
            if found is not None:
                return found
        return None


def parts_named(expression: str, names: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return the groups of an HDF5 file that are records: name, number and sequence number."""
    fits = re.compile(expression)
    found = []
    for place, name in enumerate(names):
        match = fits.fullmatch(name)
        if match is None:
            continue
        told = match.groupdict()
        number = told.get("number") or ""
        sequence = told.get("sequence") or ""
        found.append(
            (
                name,
                int(number) if number.isdecimal() else place,
                int(sequence) if sequence.isdecimal() else 0,
            )
        )
    return found
