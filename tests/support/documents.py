"""What stands in the documents, README.md and docs/: blocks, command lines, links.

Each fenced block has a class by its language, and by a mark, an HTML comment before it:

* ```console (commands behind `$ `, and what they print) and ```sh are *run*: in the place that
  the page names once, `<!-- commands run in: site -->` (see PLACES).
* `<!-- not run: needs MDSplus -->` before such a block: its shotline commands are only *parsed*.
* `<!-- stays: TEXT -->`: the command goes on to the page's end, once it has printed TEXT.
* `<!-- on: HOST -->`: on which host of the place it runs.
* `<!-- first: COMMAND -->`: is run before it, and not shown.
* A block with a title="FILE" is written to FILE in the place before what follows it is run.
* ```yaml, ```python and ```json are *checked*; ```text and the like are *shown*.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PLACES: Final = {
    "checkout": "a folder that looks like a checkout, in which nothing runs yet",
    "site": "a system with the experiments DEMO and TEST",
    "hosts": "two hosts, in which nothing runs yet",
}
COMMANDS: Final = frozenset({"console", "sh"})
CHECKED: Final = frozenset({"yaml", "python", "json"})
SHOWN: Final = frozenset({"text", "ini", "http", "mermaid", "nginx"})

_FENCE: Final = re.compile(r"( *)(`{3,})\s*(\w*)(.*)")
_MARK: Final = re.compile(r"\s*<!-- (not run|stays|on|first): (.*) -->")
_PLACE: Final = re.compile(r"<!-- commands run in: (\S+)(?: after (\S+))?(?: with (\S+))? -->")
_TITLE: Final = re.compile(r'title="([^"]+)"')
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_ITEM: Final = re.compile(r"\s*([*-]|\d+\.) ")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, its text, and its marks."""

    file: Path
    line: int
    language: str
    text: str
    marks: tuple[tuple[str, str], ...]
    title: str | None

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    def mark(self, name: str) -> str | None:
        """Return what a mark says, or None."""
        return dict(self.marks).get(name)

    @property
    def kind(self) -> str | None:
        """What becomes of it: run, parsed, checked, shown; None: it has no class."""
        if self.language in COMMANDS:
            return "run" if self.mark("not run") is None else "parsed"
        if self.language in CHECKED:
            return "checked"
        return "shown" if self.language in SHOWN else None

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The commands, each with what it prints; a block of `sh` is one."""
        if self.language == "sh":
            return [(self.text, "")]
        found: list[tuple[list[str], list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(([line.removeprefix("$ ")], []))
                continue
            assert found, f"{self}: a console begins with a command behind `$ `"
            commands, said = found[-1]
            if line.startswith("> ") and not said:
                commands.append(line.removeprefix("> "))
            else:
                said.append(line)
        return [("\n".join(commands), "\n".join(said)) for commands, said in found]


@dataclass(frozen=True)
class Place:
    """Where a page's commands run; `after`: as the continuation of another page; `files`: whose
    files are there from the beginning.
    """

    name: str
    after: Path | None
    files: Path | None


def pages() -> list[Path]:
    """Return all documents."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def place_of(page: Path) -> Place | None:
    """Return where the commands of a page run, if it says so."""
    found = _PLACE.search(page.read_text(encoding="utf-8"))
    if found is None:
        return None
    name, after, files = found.groups()
    return Place(name, after and page.parent / after, files and page.parent / files)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found: list[Block] = []
    marks: list[tuple[str, str]] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if mark := _MARK.fullmatch(line):
            marks.append((mark[1], mark[2]))
        elif fence := _FENCE.fullmatch(line):
            indent, ticks, language, rest = fence.groups()
            text: list[str] = []
            for _, inner in lines:
                if inner.strip() == ticks:
                    break
                text.append(inner.removeprefix(indent))
            title = _TITLE.search(rest)
            whole = "\n".join(text)
            found.append(Block(page, number, language, whole, tuple(marks), title and title[1]))
            marks = []
        elif line.strip():
            marks = []
    return found


def indented(page: Path) -> list[int]:
    """Return the lines at which a block begins by indentation alone: it has no class."""
    found = []
    in_fence = in_item = False
    before = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
        elif not in_fence and line.strip():
            if _ITEM.match(line):
                in_item = True
            elif not line.startswith(" "):
                in_item = False
            elif line.startswith("    ") and not before.strip() and not in_item:
                found.append(number)
        before = line
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks and comments."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^( *)```.*?^\1``` *$", "", text, flags=re.S | re.M)
    return re.sub(r"<!--.*?-->", "", text, flags=re.S)


def mentioned(page: Path) -> list[str]:
    """Return what stands in the type of code within the text."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose(page))]


def links(page: Path) -> list[str]:
    """Return the targets of the links of a page."""
    return _LINK.findall(_CODE.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and code hosts make them."""
    found: set[str] = set()
    text = re.sub(r"^( *)```.*?^\1``` *$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
        anchor = re.sub(r"[-\s]+", "-", words)
        number = 1
        while anchor in found:
            anchor = f"{anchor.rpartition('_')[0] or anchor}_{number}"
            number += 1
        found.add(anchor)
    return found


_VARIES: Final = re.compile(
    r"\d{4}-\d\d-\d\d|\d\d:\d\d(?::\d\d)?(?:\.\d+)?|\d+\.\d+|process \d+|\d{6,}"
)


def is_shown(said: str, shown: str) -> bool:
    """Return whether a program has said what a document shows.

    `…` stands for anything, also lines; white space, times, fractions and process ids may differ.
    """
    if not shown.strip():
        return True

    def pattern(text: str) -> str:
        pieces: Sequence[str] = _VARIES.split("".join(text.split(" ")))
        return "[^ ]*?".join(re.escape("".join(piece.split())) for piece in pieces)

    wanted = ".*?".join(pattern(part) for part in shown.split("…"))
    return re.search(wanted, "".join(said.split()), re.S) is not None


def simple_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each of our programs' commands in a script, without what is around it."""
    for line in _logical_lines(re.sub(r"\$\((?![^()]*shotline)[^()]*\)", "WORD", script)):
        for part in re.split(r"\|\||&&|[|;&](?!\d)|\$\(|`", _without_comment(line)):
            words = _without_lead(_split(part.strip().rstrip(")")))
            name = words[0].rpartition("/")[2] if words else ""
            if name == "shotline" or re.fullmatch(r"shotline-(?!\d)[a-z-]+", name):
                yield [name, *words[1:]]


def _without_lead(words: list[str]) -> list[str]:
    """Return a command without what says as whom, where or with which variables it runs."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:1] == ["runuser"] and "--" in words:
        return words[words.index("--") + 1 :]
    if words[:2] == ["sudo", "-u"]:
        return words[3:]
    return words[2:] if words[:1] == ["ssh"] else words


def _logical_lines(script: str) -> list[str]:
    return re.sub(r"\\\n\s*", " ", script).splitlines()


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(re.sub(r"\d?>>?\s*\S+|<\s*\S+", "", text))
    except ValueError:
        return text.split()
