"""What the worker of the past is told first: where everything is. Pure."""

import base64
import pickle
from typing import NamedTuple

from shotline.common.settings.configuration import Config
from shotline.common.settings.sections import KeptSection, RedisSection


class Surroundings(NamedTuple):
    """What the worker is told first."""

    redis: RedisSection
    kept: KeptSection
    config: Config  # what views go by

    def encoded(self) -> bytes:
        """Return it as a line; no secret of it is ever among a program's arguments."""
        return base64.b64encode(pickle.dumps(self)) + b"\n"

    @classmethod
    def decoded(cls, line: bytes) -> "Surroundings":
        """Return it from its line, which our own dispatcher has written."""
        found = pickle.loads(base64.b64decode(line))  # from our parent's pipe
        assert isinstance(found, cls)
        return found
