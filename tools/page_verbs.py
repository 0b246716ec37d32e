"""Writes what the page knows of the commands, `static/model/verbs.js`, from their classes.

A test compares the two.
"""

import json
import sys
from collections.abc import Iterable
from typing import Final

from shotline.common.commands import VERBS

_HEAD: Final = """\
/**
 * The commands: who may give each, and the buttons for some beside runs and servers, in their order
 * there. Made from the commands' classes: `make schema` writes it anew.
 */

/**
 * @typedef {object} Verb
 * @property {string} scope who may do what is of it may give the command
 * @property {boolean} always also where another has the control
 */

/**
 * @typedef {object} Button
 * @property {string} verb
 * @property {'run'|'server'} beside
 * @property {number} place among the buttons there
 * @property {string} text
 * @property {string} title
 * @property {string[]} states in which it can be pressed
 * @property {string} question is asked first, of the target `{}`; '': nothing is
 * @property {string} says with the question
 * @property {boolean} aborts what is running there, which is listed
 */

"""


def text() -> str:
    """Return the module as it is committed."""
    verbs = (
        f"{verb}: {_js({'scope': kind.SCOPE.value, 'always': kind.ALWAYS})}"
        for verb, kind in VERBS.items()
    )
    found = [
        {"verb": verb, **kind.BUTTON._asdict()}
        for verb, kind in VERBS.items()
        if kind.BUTTON is not None
    ]
    found.sort(key=lambda one: (one["beside"], one["place"]))
    return (
        f"{_HEAD}/** @type {{Record<string, Verb>}} */\n"
        f"export const VERBS = {{\n{_lines(verbs)}}};\n\n"
        f"/** @type {{Button[]}} */\nexport const BUTTONS = [\n{_lines(map(_js, found))}];\n"
    )


def _lines(parts: Iterable[str]) -> str:
    return "".join(f"  {part},\n" for part in parts)


def _js(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(text())
