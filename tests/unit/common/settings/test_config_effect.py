"""No key of the configuration, and nothing that a key is handed on as, is without effect."""

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from tests.support.attribute_reads import ROOT, Read, attribute_reads
from tests.unit.common.settings.test_config import models

from shotline.common.settings.config import Config
from shotline.common.settings.model import Model

SETTINGS = ("Settings", "Limits", "Rules", "Patience")  # what keys are handed on as
CODE = [path.name for path in (ROOT / "src" / "shotline").iterdir() if path.is_symlink()]


@pytest.fixture(scope="module")
def reads() -> Mapping[str, frozenset[Read]]:
    return attribute_reads()


def settings_classes() -> Iterator[tuple[str, list[str]]]:
    """Yield each class that holds settings, by its full name, with its fields."""
    for file in (file for folder in CODE for file in (ROOT / folder).rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith(SETTINGS):
                parts = ("shotline", *file.relative_to(ROOT).with_suffix("").parts)
                module = ".".join(part for part in parts if part != "__init__")
                fields = [
                    part.target.id
                    for part in node.body
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
                ]
                yield f"{module.removesuffix('.__init__')}.{node.name}", fields


def test_every_key_is_read_where_it_does_something(reads: Mapping[str, frozenset[Read]]) -> None:
    # Making paths absolute is no use of them.
    configuration = importlib.import_module(Config.__module__)
    config = Path(inspect.getfile(configuration)).resolve()
    copied = set()
    for copying in (Config.resolved, configuration._resolved_access):
        lines, first = inspect.getsourcelines(copying)
        copied |= {Read(config, line) for line in range(first, first + len(lines))}
    unread = [
        f"{model.__name__}.{name}"
        for model in models(Config)
        for name, field in model.model_fields.items()
        # The word that tells the kinds of a source apart does its work when the file is read.
        if get_origin(field.annotation) is not Literal or len(get_args(field.annotation)) > 1
        if not reads.get(_full_name(model, name), frozenset()) - copied
    ]
    assert unread == [], "these keys have no effect"


def _full_name(model: type[Model], name: str) -> str:
    """Return the name of a field, by the class that declares it."""
    declares = next(one for one in model.__mro__ if name in one.__annotations__)
    return f"{declares.__module__}.{declares.__qualname__}.{name}"


def test_what_keys_are_handed_on_as_is_read(reads: Mapping[str, frozenset[Read]]) -> None:
    known = list(settings_classes())
    assert known
    unread = [
        f"{name}.{field}"
        for name, fields in known
        for field in fields
        if f"{name}.{field}" not in reads
    ]
    assert unread == [], "these settings have no effect"
