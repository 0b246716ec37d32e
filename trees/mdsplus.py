"""MDSplus on this machine: the only file that imports it, and only when it is needed.

Expressions are evaluated in this process, by the same words as over mdsip, so that both adapters
read the same actions. A task runs here too, in a worker process that can be ended; its output is
the worker's.
"""

from typing import Final, cast

import MDSplus

from shotline.trees.tdi import MdsplusFailure, Scalar, TdiConnection

_HERE: Final = "MDSplus on this machine"


class NativeConnection(TdiConnection):
    """Evaluates expressions in this process. To be used by one thread, as its open trees are."""

    url = _HERE

    def begin(self) -> None:
        """Do nothing: there is no connection that could be lost."""

    def ask(self, expression: str, *arguments: Scalar) -> list[Scalar] | Scalar | None:
        """Return the value of an expression. Raise MdsplusFailure when MDSplus refuses it."""
        try:
            answer = MDSplus.Data.execute(expression, *map(_argument, arguments))
            return _plain(answer.data() if answer is not None else None)
        except MDSplus.MDSplusException as error:
            raise MdsplusFailure(int(error.status), str(error)) from None

    def known_status(self, status: int) -> str | None:
        """Return None: MDSplus is asked itself, which is as near."""
        del status
        return None

    def close(self) -> None:
        """Leave the trees open: they end with the process."""


def _argument(value: Scalar) -> object:
    return MDSplus.Uint8Array(list(value)) if isinstance(value, bytes) else value


def _plain(value: object) -> list[Scalar] | Scalar | None:
    """Return what MDSplus gives, much of it numpy's, as plain values.

    A single text comes as str, the texts of an array as bytes.
    """
    if value is None or type(value) in (int, float, str):
        return cast("Scalar | None", value)
    if isinstance(value, bytes):
        return _text(value)
    plain = cast("list[Scalar] | Scalar", cast("memoryview", value).tolist())
    if isinstance(plain, list) and plain and isinstance(plain[0], bytes):
        return [_text(cast("bytes", one)) for one in plain]
    return plain


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
