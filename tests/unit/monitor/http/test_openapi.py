"""The OpenAPI document: as committed, complete, and in step with the models."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from shotline.common.commands import OF_DAEMONS, VERBS, AnyCommand
from shotline.monitor.http.route import GET_VERBS, path_of
from shotline.monitor.http.routes import ROUTES, document

COMMITTED = Path(__file__).resolve().parents[4] / "docs" / "openapi.json"


def test_the_committed_document_is_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == document(), "write it anew: make schema"


def test_every_route_is_described_or_is_no_part_of_the_interface() -> None:
    paths = json.loads(document())["paths"]
    assert isinstance(paths, dict)
    for route in ROUTES:
        described = route.command is not None or bool(route.summary)
        assert (route.path in paths) == described
        if described:
            assert {method.upper() for method in paths[route.path]} == set(route.needs)


def test_its_words_need_no_other_document() -> None:
    assert not re.findall(r"\([DI]\d+|DESIGN", document())


def test_every_command_has_its_path() -> None:
    paths = json.loads(document())["paths"]
    assert isinstance(paths, dict)
    assert set(VERBS.values()) == {*get_args(AnyCommand)}.difference(OF_DAEMONS)
    for verb in VERBS:
        path = paths[path_of(verb)]
        assert isinstance(path, dict)
        assert ("get" in path) == (verb in GET_VERBS)
        assert "post" in path


@pytest.mark.parametrize("verb", VERBS)
def test_every_field_of_a_command_is_described(verb: str) -> None:
    schemas = json.loads(document())["components"]["schemas"]
    schema = schemas[VERBS[verb].__name__]
    assert set(schema["properties"]) == set(VERBS[verb].__struct_fields__)
    assert schema["additionalProperties"] is False


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    schemas = json.loads(whole)["components"]["schemas"]
    for part in whole.split('"$ref": "#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas
