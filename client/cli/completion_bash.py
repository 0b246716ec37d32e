"""Completion in bash for words that bash itself takes apart: paths and servers have colons.

bash completes only what stands behind the last colon, and takes a backslash for a quote. So the
line is taken apart here, as the shell would, and what is answered is the rest of the word, quoted.
"""

import os
import shlex
from typing import Final

from click.shell_completion import BashComplete, CompletionItem, add_completion_class

_END: Final = "\0"  # stands where the cursor is, so that an unfinished word is told from none
_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:./,@%^"
)

_SOURCE: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    COMPREPLY=()
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1")
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
        fi
    done
    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""


@add_completion_class
class WordsWithColons(BashComplete):
    """click's completion for bash, with the line taken apart as the shell does."""

    source_template = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that is unfinished there."""
        words = split(os.environ.get("COMP_LINE", ""))[1:]
        return (words[:-1], words[-1]) if words else ([], "")

    def format_completion(self, item: CompletionItem) -> str:
        """Return an answer: of a word only what bash replaces."""
        if item.type != "plain":
            return super().format_completion(item)
        line, breaks = os.environ.get("COMP_LINE", ""), os.environ.get("COMP_WORDBREAKS", "")
        return f"plain,{rest_of_word(line, breaks, item.value)}"


def split(line: str) -> list[str]:
    """Return the words of an unfinished line; the last one is where the cursor stands."""
    lexer = shlex.shlex(line + _END, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words += lexer
    except ValueError:  # a quote is open, or the line ends with a backslash
        words.append(lexer.token)
    return [word.replace(_END, "") for word in words]


def rest_of_word(line: str, breaks: str, value: str) -> str:
    """Return what stands for `value` where bash's replacement of the line's last word begins."""
    start, quote = _where_bash_begins(line, breaks)
    if quote:
        return value
    return quoted(value[len(split(line[start[0] : start[1]])[-1]) :])


def _where_bash_begins(line: str, breaks: str) -> tuple[tuple[int, int], str]:
    """Return where the last word and bash's part of it begin, and the quote that is open there."""
    word = part = at = 0
    quote = ""
    while at < len(line):
        char = line[at]
        if char == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char.isspace():
            word = part = at + 1
        elif char in breaks:
            part = at + 1
        at += 1
    return (word, part), quote


def quoted(text: str) -> str:
    """Return text as it must be typed."""
    return "".join(char if char in _PLAIN else f"\\{char}" for char in text)
