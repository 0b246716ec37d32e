"""YAML files in which every problem has a line: configuration and experiment files stand on this.

`load_yaml` reads one file into plain data and remembers on which line each part stands;
`LocatedDocument.validate` checks it against a pydantic model and lists all problems at once. What a
file means is its model's business, not ours. Nothing is ever constructed but text, numbers,
booleans, null, lists and mappings.

The scalars are those of YAML 1.2: only `true` and `false` are booleans, so that `on: false` and
`NO` mean what they say; dates stay text. A model takes them as they are: no text counts as a number
or a boolean, no number as a boolean, no boolean as a number. Anchors, aliases and tags are refused,
mappings have text keys, and size, nesting and number of entries are bounded (DESIGN I7, I8).

JSON is YAML, and what a program wrote is often JSON: it is read by Python's own reader, which is
several times faster, and where its lines are is looked up only when something is wrong with it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import to_json

from shotline.common.errors import ConfigError
from shotline.common.settings.file_words import in_words

SIZE_MAX: Final = 16 * 1024 * 1024
DEPTH_MAX: Final = 32
ENTRIES_MAX: Final = 1_000_000

Location = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD_TAG: Final = "tag:yaml.org,2002:"
_TOO_DEEP: Final = "exceeded maximum nesting depth"  # what libyaml itself reads no further
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")  # as JSON writes what is beyond 16 bits
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class FileProblem(NamedTuple):
    """One thing that is wrong in a file; `line` counts from 1."""

    file: Path
    line: int | None
    where: str  # dotted, as `actions[3].task`; "" for the file as a whole
    message: str
    column: int | None = None  # from 1, where it is known

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return (
            f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"
        )


class FileProblems(ConfigError):
    """A file is wrong; `problems` lists everything that is, in the order of the lines."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class LocatedDocument:
    """A file's plain data, the line of each of its parts, and what was wrong with its form."""

    path: Path
    data: JsonValue
    locate: Callable[[], Mapping[Location, int]] = field(repr=False)
    problems: tuple[FileProblem, ...] = ()
    columns: Mapping[Location, int] = field(default_factory=dict, repr=False)

    @cached_property
    def lines(self) -> Mapping[Location, int]:
        """The line of each part, from 1."""
        return self.locate()

    def line_of(self, location: Sequence[str | int]) -> int | None:
        """Return the line of the part at a pydantic `loc`, or of its nearest known parent.

        Steps that the file does not have (a missing key, the tag of a union) are passed over.
        """
        return self.lines.get(self._known(location))

    def problem(self, location: Sequence[str | int], message: str) -> FileProblem:
        """Return a problem with the part at `location`."""
        column = self.columns.get(self._known(location))
        return FileProblem(self.path, self.line_of(location), dotted(location), message, column)

    def problems_of(
        self, error: ValidationError, model: type[BaseModel] | None = None
    ) -> list[FileProblem]:
        """Return every error that pydantic found in a record of `model`, with its line."""
        return [
            self._problem_of(tuple(one["loc"]), one["type"] == "missing", in_words(one, model))
            for one in error.errors()
        ]

    def validate(self, model: type[ModelT]) -> ModelT:
        """Return the data as a record of `model`. Raise FileProblems with all that is wrong."""
        try:
            record = validated(model, self.data)
        except ValidationError as error:
            raise FileProblems([*self.problems, *self.problems_of(error, model)]) from None
        if self.problems:
            raise FileProblems(self.problems)
        return record

    def _problem_of(self, location: Location, is_missing: bool, message: str) -> FileProblem:  # noqa: FBT001
        known = self._known(location)
        # The tag of a union is no part of the file; a missing key is worth naming.
        where = dotted((*known, location[-1]) if is_missing else known)
        column = self.columns.get(known)
        return FileProblem(self.path, self.lines.get(known), where, message, column)

    def _known(self, location: Sequence[str | int]) -> Location:
        known: Location = ()
        for step in location:
            if (*known, step) in self.lines:
                known = (*known, step)
        return known


def validated(model: type[ModelT], data: JsonValue) -> ModelT:
    """Return a file's data as a record of `model`, strictly. Raise pydantic's ValidationError."""
    # As JSON, where lists are tuples and text is a path: that is no leniency.
    return model.model_validate_json(to_json(data), strict=True)


def dotted(location: Sequence[str | int]) -> str:
    """Return a location as people write it: `actions[3].task`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def load_yaml(path: Path) -> LocatedDocument:
    """Read a YAML file. Raise FileProblems when it cannot be read or is not YAML."""
    return parse_yaml(read_bounded(path), path)


def read_bounded(path: Path) -> bytes:
    """Return a file's bytes. Raise FileProblems when it cannot be read or is too large."""
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_MAX + 1)
    except OSError as error:
        raise _failure(path, None, f"cannot be read: {error.strerror or error}") from None
    if len(content) > SIZE_MAX:
        raise _failure(path, None, f"is larger than {SIZE_MAX} bytes")
    return content


def parse_yaml(content: bytes, path: Path) -> LocatedDocument:
    """Return the YAML document in `content`; `path` is what problems name as its file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failure(path, line, "is not UTF-8 text") from None
    if text.startswith("{"):
        try:
            return LocatedDocument(path, _read_json(text), lambda: _lines_of_json(text, path))
        except (ValueError, RecursionError):
            pass  # it is YAML that only begins like JSON, or is refused with a line below
    builder = _build(text, path)
    problems = tuple(builder.problems)
    return LocatedDocument(path, builder.data, lambda: builder.lines, problems, builder.columns)


def _build(text: str, path: Path) -> "_Builder":
    builder = _Builder(path)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        if error.problem == _TOO_DEEP:
            raise _too_deep(path, line) from None
        message = " ".join(filter(None, (error.context, error.problem)))
        raise _failure(path, line, f"is not YAML: {message}", column) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _failure(path, line, f"is not YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _failure(path, None, f"is not YAML: {error}") from None
    return builder


def _read_json(text: str) -> JsonValue:
    """Return what the YAML reader would. Raise ValueError for all that it would not just take."""
    data: JsonValue = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_int=_plain_value,
        parse_float=_plain_value,
        parse_constant=_no_constant,
    )
    if _SURROGATE.search(text):
        json.dumps(data, ensure_ascii=False).encode()  # half a character is a ValueError
    entries, level = 0, [data]
    for _ in range(DEPTH_MAX + 1):
        entries += len(level)
        if not level:
            return data
        below: list[JsonValue] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below
        if entries > ENTRIES_MAX:
            break
    raise ValueError("too deep, or too much")


def _lines_of_json(text: str, path: Path) -> Mapping[Location, int]:
    try:
        return _build(text, path).lines
    except FileProblems:  # a tab where YAML wants none, say: then problems have no lines
        return {}


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a repeated key")
    return made


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no number")


def _events(text: str) -> Iterator[yaml.Event]:
    # Events instead of nodes: one pass, and depth is bounded before anything recurses.
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
    return events


def _failure(path: Path, line: int | None, message: str, column: int | None = None) -> FileProblems:
    return FileProblems([FileProblem(path, line, "", message, column)])


def _too_deep(path: Path, line: int | None) -> FileProblems:
    return _failure(path, line, f"is nested deeper than {DEPTH_MAX} levels")


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    location: Location
    value: list[JsonValue] | dict[str, JsonValue]
    key: str | None = None  # of a mapping: its value comes next
    repeated: bool = False  # the value that comes next belongs to a repeated key


class _Builder:
    """Builds plain data from YAML events and writes down where each part stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: JsonValue = None
        self.lines: dict[Location, int] = {}
        self.columns: dict[Location, int] = {}
        self._column = 1
        self.problems: list[FileProblem] = []
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        self._column = event.start_mark.column + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):  # most of them are
            self._refuse_marks(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_marks(event, line)
            self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _failure(self.path, line, "uses an alias (*); write the value out instead")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _failure(self.path, line, "holds more than one YAML document")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(parent, event.value, line)
        else:
            self._add(_plain_value(event.value) if event.implicit[0] else event.value, line)

    def _key(self, parent: _Open, key: str, line: int) -> None:
        parent.key = key
        parent.repeated = key in parent.value
        if parent.repeated:
            first = self.lines[(*parent.location, key)]
            where = dotted((*parent.location, key))
            message = f"is given a second time (first on line {first})"
            self.problems.append(FileProblem(self.path, line, where, message, self._column))
        else:
            self.lines[(*parent.location, key)] = line
            self.columns[(*parent.location, key)] = self._column

    def _begin(self, value: list[JsonValue] | dict[str, JsonValue], line: int) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise _too_deep(self.path, line)
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise _failure(self.path, line, "has a list or mapping as a key; keys must be text")
        location = self._add(value, line)
        self._open.append(_Open(location, value))

    def _add(self, value: JsonValue, line: int) -> Location:
        if len(self.lines) >= ENTRIES_MAX:
            raise _failure(self.path, line, f"has more than {ENTRIES_MAX} entries")
        if not self._open:
            self.data = value
            self.lines[()] = line
            return ()
        parent = self._open[-1]
        if isinstance(parent.value, list):
            location: Location = (*parent.location, len(parent.value))
            parent.value.append(value)
            self.lines[location] = line
            self.columns[location] = self._column
            return location
        assert parent.key is not None
        location = (*parent.location, parent.key)
        if parent.repeated:
            # Kept apart under a name that no file can have, so that the first value stays.
            location = (*location, -1)
            self.lines.setdefault(location, line)
        else:
            parent.value[parent.key] = value
        parent.key = None
        return location

    def _refuse_marks(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int) -> None:
        if event.anchor is not None:
            message = f"names an anchor (&{event.anchor}); write the value out where it is needed"
            self.problems.append(FileProblem(self.path, line, "", message, self._column))
        if event.tag is not None:
            shown = str(event.tag).replace(_STANDARD_TAG, "!!")
            message = f"uses the tag {shown}; leave it out: text is written in quotes"
            self.problems.append(FileProblem(self.path, line, "", message, self._column))


def _plain_value(text: str) -> JsonValue:
    """Return what an unquoted scalar stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) < float("inf") else text
    return text
