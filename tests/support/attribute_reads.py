"""Who reads which attribute in the product: mypy knows the class behind each name.

`attribute_reads` runs mypy over the code with this module as its plugin, which notes each attribute
that is read.
"""

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mypy import api
from mypy.nodes import MemberExpr
from mypy.plugin import AttributeContext, Plugin
from mypy.types import Type

ROOT = Path(__file__).resolve().parents[2]
NOTES = "SHOTLINE_TEST_ATTRIBUTE_READS"


class Read(NamedTuple):
    """A place that reads an attribute."""

    file: Path
    line: int


def attribute_reads() -> Mapping[str, frozenset[Read]]:
    """Return the places that read each attribute, by its full name: `module.Class.attribute`."""
    found: dict[str, set[Read]] = defaultdict(set)
    with tempfile.TemporaryDirectory() as folder:
        notes, setup = Path(folder, "notes"), Path(folder, "mypy.ini")
        # With types that cannot be wrong here, only what decides on classes matters.
        setup.write_text(
            f"[mypy]\nplugins = pydantic.mypy, {Path(__file__).resolve()}\n"
            f"mypy_path = {ROOT / 'src'}\nexplicit_package_bases = True\n"
            "namespace_packages = True\nignore_missing_imports = True\n",
            encoding="utf-8",
        )
        os.environ[NOTES] = str(notes)
        try:
            said, complained, code = api.run(
                [
                    *("--config-file", str(setup), "--cache-dir", os.devnull),
                    *("--python-executable", sys.executable, str(ROOT / "src" / "shotline")),
                ]
            )
        finally:
            del os.environ[NOTES]
        assert code == 0, said + complained
        for line in notes.read_text(encoding="utf-8").splitlines():
            name, file, number = line.split("\t")
            found[name].add(Read(Path(file).resolve(), int(number)))
    return {name: frozenset(places) for name, places in found.items()}


class AttributeReads(Plugin):
    """Writes down each attribute that is read, and changes no type."""

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Return what notes a read of the attribute, where it is one of ours."""
        if not fullname.startswith("shotline."):
            return None

        def note(context: AttributeContext) -> Type:
            # Its declaration is asked for by a plain name.
            if isinstance(context.context, MemberExpr) and not context.is_lvalue:
                with Path(os.environ[NOTES]).open("a", encoding="utf-8") as notes:
                    print(fullname, context.api.path, context.context.line, sep="\t", file=notes)
            return context.default_attr_type

        return note


def plugin(_version: str) -> type[Plugin]:
    """Return the plugin, as mypy asks for it."""
    return AttributeReads
