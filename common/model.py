"""The base of every record that crosses a process boundary. Nothing else lives here."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen record that refuses unknown fields, so that a typing error is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
