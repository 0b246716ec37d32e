"""A connection to an mdsip server, through mdsthin: the only file that imports it.

mdsthin's descriptors, exceptions and sockets stay inside; out come plain values and our errors.
What is asked for is `tdi`'s and `tdi_tree`'s.
"""

import re
import socket
import threading
from contextlib import suppress
from typing import Final, cast

import mdsthin
from mdsthin.exceptions import EXCEPTION_MAP, MdsException

from shotline.trees.tdi import MdsplusFailure, Scalar, TdiConnection
from shotline.trees.tree import ConnectionLost, TreeError

# An mdsip server gives all its connections one list of open trees, without a lock: it crashes or
# reads wrongly when two of them use it at once. And with `-m` it exchanges its table of TDI
# functions around each request, without a lock as well. So each connection has trees of its own,
# and that exchange is switched off. Changes nothing the second time. docs/mdsplus.md
_ALONE: Final = (
    "if_error(MdsIpShr->SetContextSwitching(val(0)),0); TreeShr->TreeUsePrivateCtx(val(1))"
)
_UNKNOWN_STATUS: Final = re.compile(r"Unknown status: (-?\d+)")


class MdsipConnection(TdiConnection):
    """One connection, made when it is first needed and made again after it was lost.

    Not for use by several threads at once. `answer_timeout_s` None waits as long as it takes; a
    dead host is noticed by keep-alive all the same.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_s: float,
        answer_timeout_s: float | None,
        keep_alive_s: int,
    ) -> None:
        self.url = url
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._keep_alive_s = keep_alive_s
        self._connection: mdsthin.Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection that was not seen to break."""
        return self._connection is not None

    def connect(self) -> None:
        """Make the connection if there is none. Raise TreeError: nothing was asked yet."""
        if self._connection is not None:
            return
        try:
            connection = mdsthin.Connection(self.url, timeout=self._connect_timeout_s)
        except (OSError, MdsException, ValueError) as error:
            raise TreeError(
                f"cannot connect to the mdsip server at {self.url}: {_in_words(error)}"
            ) from None
        _set_up_socket(connection, self._answer_timeout_s, self._keep_alive_s)
        self._connection = connection
        try:
            self.ask(_ALONE)
        except MdsplusFailure as error:
            self.close()
            raise TreeError(
                f"the mdsip server at {self.url} cannot give a connection trees of its own: {error}"
            ) from None

    def begin(self) -> None:
        """Make the connection; one that died while it was idle is made again."""
        if self._connection is not None:
            with suppress(ConnectionLost):
                self.ask(_ALONE)
        self.connect()

    def ask(self, expression: str, *arguments: Scalar) -> list[Scalar] | Scalar | None:
        """Return the value of a TDI expression: a scalar, a list, or None for no value.

        Raise MdsplusFailure when MDSplus refuses it; ConnectionLost when no answer came, so that
        nobody knows whether it was carried out.
        """
        self.connect()
        try:
            answer = cast("mdsthin.Connection", self._connection).get(
                expression, *map(_argument, arguments)
            )
            return _plain(answer.data() if answer is not None else None)
        except MdsException as error:
            raise _failure_of(error) from None
        except UnicodeDecodeError as error:
            # mdsthin takes every text for ASCII; this one has come whole.
            return error.object.decode("utf-8", "backslashreplace")
        except OSError as error:
            self.close()
            raise ConnectionLost(
                f"the connection to the mdsip server at {self.url} was lost ({_in_words(error)})"
            ) from None
        except Exception as error:  # mdsthin raises anything for bytes that it does not know
            self.close()
            raise ConnectionLost(
                f"the mdsip server at {self.url} gave an answer that cannot be read ({error!r})"
            ) from error

    def known_status(self, status: int) -> str | None:
        """Return a status in words from mdsthin's list, None when it does not have it."""
        known = EXCEPTION_MAP.get(status)
        return str(known()) if known is not None else None

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._open = self._connection, None, None
        if connection is not None:
            with suppress(OSError):
                connection.disconnect()


def _set_up_socket(
    connection: mdsthin.Connection, answer_timeout_s: float | None, keep_alive_s: int
) -> None:
    """Set time limit and keep-alive; mdsthin has one limit for everything and no keep-alive."""
    carrier = connection._socket
    if not isinstance(carrier, socket.socket):
        # Over ssh, mdsthin ends the program that carries the connection after this time.
        carrier._timeout = answer_timeout_s or threading.TIMEOUT_MAX
        return
    carrier.settimeout(answer_timeout_s)
    carrier.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keep_alive_s)
    carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keep_alive_s)
    carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _argument(value: Scalar) -> object:
    return mdsthin.UInt8Array(value) if isinstance(value, bytes) else value


def _plain(value: object) -> list[Scalar] | Scalar | None:
    """Return what mdsthin gives, much of it numpy's, as plain values."""
    if value is None or type(value) in (int, float, str, bytes):
        return cast("Scalar | None", value)
    return cast("list[Scalar] | Scalar", cast("memoryview", value).tolist())


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _failure_of(error: MdsException) -> MdsplusFailure:
    unknown = _UNKNOWN_STATUS.match(str(error))
    status = int(unknown[1]) if unknown else getattr(error, "status", 0)
    return MdsplusFailure(status, str(error))
