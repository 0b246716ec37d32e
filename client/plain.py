"""Text from trees, tasks and peers, shown as text: control characters become visible. Pure."""

import unicodedata
from typing import Final

_HIDDEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, direction, surrogate, line separators


def plain(text: str) -> str:
    """Return text on one line that a terminal shows and never obeys."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _visible(character) if unicodedata.category(character) in _HIDDEN else character
        for character in text.expandtabs(4)
    )


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
