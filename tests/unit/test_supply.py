"""What a security review asks of the sources: nothing that is read can become code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "shotline"
SOURCES = sorted(
    path
    for folder in PACKAGE.iterdir()
    if folder.is_dir() and folder.name != "__pycache__"
    for path in folder.resolve().rglob("*.py")
)
# They make objects of bytes, with whatever code those name.
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
# By module: what runs a shell's string, or builds what a document names.
ATTRIBUTES = {
    "os": {"system", "popen", "popen2", "popen3", "popen4"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "asyncio": {"create_subprocess_shell"},
    "yaml": {"load", "load_all", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all"},
    "commands": {"getoutput"},
    "pty": {"spawn"},
}
SCRIPT = re.compile(
    r"\beval\(|new Function\(|\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|srcdoc"
)


def findings(source: str) -> Iterator[str]:
    """Yield the line and name of all that may make code of what is read."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (
                    f"{node.lineno}: import {name.name}"
                    for name in names
                    if name.name.split(".")[0] in MODULES
                )
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in MODULES:
                    yield f"{node.lineno}: from {module} import"
                for name in names:
                    if name.name in ATTRIBUTES.get(module, ()):
                        yield f"{node.lineno}: from {module} import {name.name}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"{node.lineno}: {name}()"
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                if name in ATTRIBUTES.get(module, ()):
                    yield f"{node.lineno}: {module}.{name}"
        if isinstance(node, ast.Call):
            for given in node.keywords:
                is_off = isinstance(given.value, ast.Constant) and given.value.value is False
                if given.arg == "shell" and not is_off:
                    yield f"{node.lineno}: shell="


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_becomes_code(path: Path) -> None:
    assert list(findings(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "monitor" / "static").rglob("*.js")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_text_becomes_markup_or_script_in_the_page(path: Path) -> None:
    assert not SCRIPT.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import concurrent, marshal",
        "eval(text)",
        "exec(text)",
        "import yaml\nyaml.load(text)",
        "from yaml import unsafe_load",
        "subprocess.run(text, shell=True)",
        "subprocess.Popen(text, shell=is_shell)",
        "os.system(text)",
        "from os import popen",
        "await_(asyncio.create_subprocess_shell(text))",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert list(findings(source))


def test_what_looks_like_it_is_let_pass() -> None:
    assert not list(
        findings("redis.eval(script)\nsubprocess.run(words, shell=False)\nyaml.safe_load(t)")
    )
