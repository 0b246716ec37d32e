"""What every section is made of: kinds of values with their limits, and `Section`. Pure."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from shotline.common.endpoint import endpoint, host_and_port
from shotline.common.nodes import LABEL
from shotline.common.settings.model import Model


def _id_text(value: object) -> object:
    # The one text that people write as a number: `id: 1`.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Seconds = Annotated[float, Field(gt=0, le=86400 * 365, strict=True)]
SecondsOrZero = Annotated[float, Field(ge=0, le=86400 * 365, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Bytes = Annotated[int, Field(ge=1, le=2**53, strict=True)]
Switch = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Endpoint = Annotated[str, AfterValidator(endpoint)]
HostAndPort = Annotated[str, AfterValidator(host_and_port)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=64)]
MdsipUrl = Annotated[str, Field(min_length=1, max_length=1024)]
ServerClass = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
_IdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=32)]
ServerId = Annotated[_IdText, BeforeValidator(_id_text, json_schema_input_type=_IdText | int)]
Label = Annotated[str, Field(pattern=LABEL, max_length=64)]
ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$", max_length=200)]
PlanKindName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
TreeName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]


class Section(Model):
    """A part of the configuration. Unknown keys are refused, every key is described."""

    model_config = ConfigDict(populate_by_name=True)
