"""The file with the expected fleet: written and read as YAML.

    servers:
      GAS:1: {host: gas-1, slots: 2, labels: [fast-disk], version: 1.4.0}

What is left out of a server may be anything.
"""

import json
from pathlib import Path
from typing import Final

from shotline.client.errors import WrongArguments
from shotline.common.base import as_plain
from shotline.common.errors import ConfigError
from shotline.common.fleet.views import ExpectedServer, FleetExpectedResult
from shotline.common.settings.yamlfile import load_yaml
from shotline.common.views import AnyResult

_HEAD: Final = (
    "# The servers that are expected, each with what it should be like; what is left out may be\n"
    "# anything. `shotline fleet load FILE` keeps it, `shotline fleet diff` compares.\n"
)


def written(result: AnyResult | None) -> str | None:
    """Return the servers of a result as YAML; None where there are none to write."""
    if not isinstance(result, FleetExpectedResult):
        return None
    lines = [f"  {json.dumps(one.server)}: {_inline(one)}\n" for one in result.expected]
    return "".join([_HEAD, "servers:" if lines else "servers: {}", "\n", *lines])


def _inline(server: ExpectedServer) -> str:
    """Return a server as JSON, which is YAML, without what says nothing."""
    fields = _without_nothing(as_plain(server))
    fields.pop("server")
    return json.dumps(fields)


def _without_nothing(fields: dict[str, object]) -> dict[str, object]:
    return {
        name: _without_nothing(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }


def save(file: Path, text: str) -> None:
    """Write the file. Raise ConfigError where it cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def read(file: Path) -> list[dict[str, object]]:
    """Return the servers of a file, as the library takes them.

    Raise ConfigError where it is no such file; what a server is like is checked with the command.
    """
    data = load_yaml(file).data
    servers = data.get("servers") if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(servers, dict):
        raise ConfigError(
            f"{file}: it must have `servers:` with CLASS:ID of each, and nothing else"
        )
    found: list[dict[str, object]] = []
    for name, fields in servers.items():
        if not isinstance(fields, dict | None):
            raise WrongArguments(f"{file}: {name}: must be what it is like, as {{host: gas-1}}")
        found.append({**(fields or {}), "server": name})
    return found
