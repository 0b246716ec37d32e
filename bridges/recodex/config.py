"""The configuration file of the ReCodEx monitor."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from shotline.common.settings.model import Model
from shotline.common.settings.sections.logs import LoggingSection
from shotline.common.settings.sections.values import Port
from shotline.common.settings.yamlfile import FileProblems, load_yaml

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def _level(given: object) -> object:
    """Unknown levels count as info, as ReCodEx has it."""
    known = isinstance(given, str) and given.lower() in _LEVELS
    return given.lower() if known and isinstance(given, str) else "info"


Uri = tuple[str, Port]


class RecodexLogger(Model):
    """Section `logger`."""

    file: str | None = "/var/log/recodex/monitor.log"
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_level)
    ] = "debug"
    max_size: Annotated[int, Field(alias="max-size", ge=1)] = 1024 * 1024
    rotations: Annotated[int, Field(ge=0)] = 3


class RecodexConfig(Model):
    """The configuration file of the ReCodEx monitor."""

    websocket_uri: Uri = ("127.0.0.1", 4567)
    zeromq_uri: Uri = ("127.0.0.1", 7894)
    logger: RecodexLogger = RecodexLogger()

    @property
    def zeromq(self) -> str:
        """The address that the ReCodEx broker connects to."""
        host, port = self.zeromq_uri
        return f"tcp://{host}:{port}"

    def logging(self) -> LoggingSection:
        """Return its log's settings as ours; the file name is its own."""
        return LoggingSection.model_construct(
            file=self.logger.file,
            level=self.logger.level,
            max_size=self.logger.max_size,
            rotations=self.logger.rotations,
        )


def recodex_config(path: Path) -> RecodexConfig | None:
    """Return a configuration file of the ReCodEx monitor, None where it is one of ours.

    Raise ConfigError when it is wrong.
    """
    document = load_yaml(path)
    data = document.data
    if not isinstance(data, dict) or not {"websocket_uri", "zeromq_uri"} & set(data):
        return None
    try:
        # JSON's way of checking: a list counts as a tuple.
        return RecodexConfig.model_validate(data)
    except ValidationError as error:
        raise FileProblems(document.problems_of(error, RecodexConfig)) from None
