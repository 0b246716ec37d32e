"""Writes the buttons that the page has for commands, `static/model/buttons.js`, from their classes.

A test compares the two. What a button does is the page's own: it gives the command of its verb.
"""

import json
import sys
from typing import Final

from shotline.common.commands import VERBS

_HEAD: Final = """\
/**
 * The buttons for commands beside runs and servers, in their order there. Made from the commands:
 * `make schema` writes it anew.
 */

/**
 * @typedef {object} Button
 * @property {string} verb
 * @property {string} scope who may do what is of it may press it
 * @property {boolean} always also where another has the control
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
    found = [
        {
            "verb": verb,
            "scope": kind.SCOPE.value,
            "always": kind.ALWAYS,
            **kind.BUTTON._asdict(),
        }
        for verb, kind in VERBS.items()
        if kind.BUTTON is not None
    ]
    found.sort(key=lambda one: (one["beside"], one["place"]))
    lines = "".join(f"  {json.dumps(one, ensure_ascii=False)},\n" for one in found)
    return f"{_HEAD}/** @type {{Button[]}} */\nexport const BUTTONS = [\n{lines}];\n"


if __name__ == "__main__":
    sys.stdout.write(text())
