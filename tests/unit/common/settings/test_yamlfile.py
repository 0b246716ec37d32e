"""YAML files: plain data, lines, all problems at once, and no input that gets around the error."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from shotline.common.settings.model import Model
from shotline.common.settings.yamlfile import (
    DEPTH_MAX,
    FileProblems,
    LocatedDocument,
    dotted,
    load_yaml,
    parse_yaml,
)

FILE = Path("some.yaml")


class Server(Model):
    name: str
    slots: int = 1


class Settings(Model):
    servers: list[Server]
    limit_s: float


class Values(Model):
    switch: bool = False
    number: float = 0
    count: int = 0
    text: str = ""
    place: Path = Path()
    several: tuple[str, ...] = ()


class Anything(Model):
    a: JsonValue


def parse(text: str) -> LocatedDocument:
    return parse_yaml(text.encode(), FILE)


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as caught:
        parse(text).validate(Settings)
    return [str(problem) for problem in caught.value.problems]


def test_scalars_are_those_of_yaml_1_2() -> None:
    document = parse(
        "on: false\noff: NO\nn: 10\nx: 1.5\ndate: 2026-01-02\nempty:\nq: '10'\nt: 1:30"
    )
    assert document.data == {
        "on": False,
        "off": "NO",
        "n": 10,
        "x": 1.5,
        "date": "2026-01-02",
        "empty": None,
        "q": "10",
        "t": "1:30",
    }


def test_lines_of_nested_parts_and_of_parts_that_are_not_there() -> None:
    document = parse("a: 1\nb:\n  - x: 1\n  -\n    x: 2\n    y: [3,\n     4]\n")
    assert document.line_of(("a",)) == 1
    assert document.line_of(("b", 1, "x")) == 5
    assert document.line_of(("b", 1, "y", 1)) == 7
    assert document.line_of(("b", 1, "tag of a union", "y", "missing")) == 6
    assert dotted(("b", 1, "y")) == "b[1].y"


def test_all_problems_at_once_with_their_lines() -> None:
    assert problems(
        "servers:\n  - name: A\n    slots: many\n  - slots: 2\n    color: red\nservers: []\n"
    ) == [
        "some.yaml:1: limit_s: is missing",
        "some.yaml:3: servers[0].slots: must be a whole number",
        "some.yaml:4: servers[1].name: is missing",
        "some.yaml:5: servers[1].color: is not a known key",
        "some.yaml:6: servers: is given a second time (first on line 1)",
    ]


def test_a_repeated_key_alone_is_refused() -> None:
    assert problems("servers: []\nlimit_s: 1\nlimit_s: {a: {b: 2}}\n") == [
        "some.yaml:3: limit_s: is given a second time (first on line 2)"
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1, 2\nb: 3", 2, "is not YAML"),
        ("a: 1\nb: \x07", 2, "is not YAML"),
        ("a: &x 1\nb: *x", 2, "alias"),
        ("a: 1\n---\nb: 2", 2, "more than one"),
        ("? [1]\n: 2", 1, "keys must be text"),
        ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), 1, "nested deeper"),
        ("[" * 100_000, 1, "nested deeper"),
    ],
)
def test_what_is_not_a_plain_yaml_document_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(FileProblems) as caught:
        parse(text)
    [problem] = caught.value.problems
    assert problem.line == line
    assert words in problem.message


def test_tags_construct_nothing() -> None:
    text = "a: !!python/object/apply:os.system [ls]\nb: !!int '3'\nc: !!str 3\nd: !x {}"
    document = parse(text)
    assert document.data == {"a": ["ls"], "b": "3", "c": "3", "d": {}}
    assert [(one.line, one.message) for one in document.problems] == [
        (line, f"uses the tag {tag}; leave it out: text is written in quotes")
        for line, tag in (
            (1, "!!python/object/apply:os.system"),
            (2, "!!int"),
            (3, "!!str"),
            (4, "!x"),
        )
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  !!str 1", "uses the tag !!str; leave it out"),
        ("a:\n  ! 1", "uses the tag !; leave it out"),
        ("a:\n  !!str b: 1", "uses the tag !!str; leave it out"),
        ("a:\n  !!seq [1]", "uses the tag !!seq; leave it out"),
        ("a:\n  !!map {b: 1}", "uses the tag !!map; leave it out"),
        ("a:\n  &here 1", "names an anchor (&here); write the value out"),
        ("a:\n  &here [1]", "names an anchor (&here); write the value out"),
        ("a:\n  &here b: 1", "names an anchor (&here); write the value out"),
    ],
)
def test_tags_and_anchors_are_refused_wherever_they_stand(text: str, message: str) -> None:
    with pytest.raises(FileProblems) as caught:
        parse(text).validate(Anything)
    [problem] = caught.value.problems
    assert problem.line == 2
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("switch: n", "must be true or false"),
        ("switch: on", "must be true or false"),
        ("switch: 0", "must be true or false"),
        ("switch: 'true'", "must be true or false"),
        ("number: true", "must be a number"),
        ("number: '3'", "must be a number"),
        ("number: 1_0", "must be a number"),
        ("count: true", "must be a whole number"),
        ("count: 1.0", "must be a whole number"),
        ("count: 1_0", "must be a whole number"),
        ("text: 1", "must be text"),
        ("text: false", "must be text"),
    ],
)
def test_a_value_counts_as_nothing_but_what_it_is(text: str, message: str) -> None:
    with pytest.raises(FileProblems) as caught:
        parse(f"\n{text}").validate(Values)
    [problem] = caught.value.problems
    assert problem.line == 2
    assert problem.message == message


def test_a_whole_number_is_a_number_and_text_is_a_path() -> None:
    values = parse("number: 3\nplace: here/there\nseveral: [a, b]\n").validate(Values)
    assert values == Values(number=3.0, place=Path("here/there"), several=("a", "b"))


def test_not_utf_8_names_the_line() -> None:
    with pytest.raises(FileProblems) as caught:
        parse_yaml(b"a: 1\nb: \xff\n", FILE)
    assert str(caught.value) == "some.yaml:2: is not UTF-8 text"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match="cannot be read: No such file"):
        load_yaml(tmp_path / "none.yaml")


@given(st.text(max_size=200))
def test_any_text_is_either_read_or_refused_by_the_one_error(text: str) -> None:
    with suppress(FileProblems):
        assert parse_yaml(text.encode("utf-8", "surrogatepass"), FILE).line_of(()) != 0


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(alphabet="ab:- #'\n", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=2), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value).encode(), FILE).data == value


# To the YAML reader alone it ends a line, within quotes too.
_TEXT = st.characters(codec="utf-8", exclude_characters="\x85")
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_TEXT, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_TEXT, max_size=3), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ensure_ascii", [True, False])
@given(value=st.dictionaries(st.text(_TEXT, max_size=3), _JSON))
def test_json_is_read_as_the_yaml_that_it_is(
    value: dict[str, object], ensure_ascii: object, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=bool(ensure_ascii), indent=indent)
    as_json = parse(text)
    try:
        as_yaml = parse("\n" + text)
    except FileProblems:  # YAML has fewer characters than JSON
        return
    assert as_json.data == as_yaml.data
    assert {at: line + 1 for at, line in as_json.lines.items()} == as_yaml.lines


def test_problems_of_a_json_file_have_lines() -> None:
    assert problems('{\n "limit_s": 1,\n "servers": [\n  {"slots": 2}\n ]\n}') == [
        "some.yaml:4: servers[0].name: is missing"
    ]
    assert problems('{"limit_s": 1,\n "servers": [],\n "servers": []}') == [
        "some.yaml:3: servers: is given a second time (first on line 2)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        '{"a": NaN}',
        '{"a": 1} {"b": 2}',
        "{" * 40 + "}" * 40,
        '{"a": "\x01"}',
        '{"a": "\\ud800"}',
    ],
)
def test_what_only_begins_like_json_is_judged_as_yaml(text: str) -> None:
    try:
        expected: object = parse("\n" + text).data
    except FileProblems as refused:
        expected = [(one.line and one.line - 1, one.message) for one in refused.problems]
    try:
        found: object = parse(text).data
    except FileProblems as refused:
        found = [(one.line, one.message) for one in refused.problems]
    assert found == expected
