"""One family of errors, split by who is to blame. The docstring of a class is its message."""


class ShotlineError(Exception):
    """Something went wrong in Shotline."""

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail or (type(self).__doc__ or "").strip())


class RemoteError(ShotlineError):
    """A peer sent something that is not allowed."""


class MalformedMessage(RemoteError):
    """The bytes are not a message of this protocol."""


class LocalError(ShotlineError):
    """This process was asked for something that it cannot do."""


class ConfigError(LocalError):
    """The configuration is wrong; every problem is listed with file and line."""


class JournalError(ShotlineError):
    """The journal could not be written or read."""
