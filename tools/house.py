"""Draws the house in `docs/architecture.md`: folders as rooms, imports as arrows.

A folder's sub-folders are drawn in a picture of their own. Everything between the two marks of the
document is written anew from the imports as they are; a test holds the committed page to it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import grimp

BEGIN: Final = "<!-- The pictures: written by `make schema` from the imports. -->\n"
END: Final = "<!-- The end of the pictures. -->\n"
PACKAGE: Final = "shotline"


def written(document: str) -> str:
    """Return the document with its pictures as the imports are now. Raise ValueError."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marks between which the pictures stand")
    return before + BEGIN + "\n" + "".join(_pictures()) + END + after


def _pictures() -> Iterator[str]:
    graph = grimp.build_graph(PACKAGE)
    modules = {name for name in graph.modules if name.count(".")}
    imports = {
        (module, imported)
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module)
        if imported in modules
    }
    packages = {name for name in modules if graph.find_children(name)}
    yield from _picture(imports, {name for name in packages if name.count(".") == 1})
    for folder in sorted(packages):
        rooms = {name for name in packages if name.startswith(f"{folder}.")}
        if rooms and folder.count(".") == 1:
            yield f"Inside `{_short(folder)}`:\n\n"
            yield from _picture(imports, {folder, *rooms})


def _picture(imports: Iterable[tuple[str, str]], rooms: set[str]) -> Iterator[str]:
    """Yield a picture of the arrows between rooms; what is in none of them is left out."""
    arrows = {
        (here, there)
        for module, imported in imports
        if (here := _room(module, rooms)) and (there := _room(imported, rooms)) and here != there
    }
    yield "```mermaid\nflowchart TD\n"
    for room in sorted(rooms):
        yield f'    {_id(room)}["{_short(room)}/"]\n'
    for here, there in sorted(arrows):
        yield f"    {_id(here)} --> {_id(there)}\n"
    yield "```\n\n"


def _room(module: str, rooms: set[str]) -> str:
    """Return the innermost of these rooms that a module is in."""
    inside = [room for room in rooms if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default="")


def _short(room: str) -> str:
    return room.removeprefix(f"{PACKAGE}.").replace(".", "/")


def _id(room: str) -> str:
    return _short(room).replace("/", "_")


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
