"""The configuration: what counts, all problems at once with their lines, and the example file."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, JsonValue

from shotline.common.binding import is_loopback
from shotline.common.errors import ConfigError
from shotline.common.nodes import FileSource
from shotline.common.settings.config import (
    Config,
    FileProblems,
    check_config,
    config_schema,
    find_config,
    load_config,
    packaged,
)
from shotline.common.settings.limits import TaskLimits
from shotline.common.settings.model import modelled
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.settings.yamlfile import load_yaml
from shotline.trees.experiment_file import read_experiment

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "etc" / "config.yaml"
NOBODY: dict[str, str] = {}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all that its fields consist of."""
    yield model
    pending: list[Any] = [field.annotation for field in model.model_fields.values()]
    while pending:
        annotation = modelled(pending.pop())
        pending.extend(get_args(annotation))
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from models(annotation)


def problems_of(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    return [str(problem) for problem in check_config(file, environment or NOBODY)]


# The example file


def test_every_key_stands_in_the_example() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for model in models(Config):
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert re.search(rf"(?:^|[\s{{,])(?:# +)?{re.escape(key)}:", text, re.M), (
                f"{model.__name__}.{key} is not in etc/config.yaml"
            )


def test_every_key_of_the_example_is_commented() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    explained = False
    for line in lines:
        if line.strip().startswith("#"):
            explained = True
        elif not line.startswith(" ") and line.endswith(":"):
            explained = False  # a section's name explains none of its keys
        elif line.strip():
            assert explained, f"etc/config.yaml: no comment above {line.strip()!r}"


def test_every_key_is_described() -> None:
    for model in models(Config):
        for name, field in model.model_fields.items():
            if name != "kind":
                assert field.description, f"{model.__name__}.{name}"


def test_the_examples_values_are_the_defaults() -> None:
    example = Config.model_validate(load_yaml(EXAMPLE).data)
    default = Config()
    for name in Config.model_fields:
        if name not in ("experiments", "up"):
            assert getattr(example, name) == getattr(default, name)
    assert example.up.model_copy(update={"servers": ()}) == default.up
    assert example.experiments["DEMO"].options is None


def test_the_examples_servers_run_every_class_of_the_demo() -> None:
    file = EXAMPLE.parent / "experiments" / "demo.yaml"
    classes = {action.server_class for action in read_experiment(file.read_bytes(), file).actions}
    assert {server.server_class for server in load_config(EXAMPLE).up.servers} == classes


def test_the_example_is_right() -> None:
    assert problems_of(EXAMPLE) == []


def test_the_installed_example_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(environment=NOBODY) == packaged("config.yaml")
    assert load_config(environment=NOBODY).data_folder == tmp_path / "var"


def test_the_schema_is_that_of_the_models() -> None:
    stored = (ROOT / "etc" / "config.schema.json").read_text(encoding="utf-8")
    assert stored == config_schema(), "write it anew: make schema"
    assert json.loads(stored)["additionalProperties"] is False


# Which file, and what counts


def test_the_option_names_the_file_before_the_environment_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"SHOTLINE_CONFIG": "named.yaml"}
    assert find_config(Path("option.yaml"), environment) == Path("option.yaml")
    assert find_config(None, environment) == Path("named.yaml")
    local = tmp_path / "etc" / "config.yaml"
    local.parent.mkdir()
    local.touch()
    assert find_config(None, NOBODY).absolute() == local


def test_option_before_environment_before_file_before_default(file: Path) -> None:
    file.write_text("broker: {heartbeat_s: 2, probe_s: 2, suspect_beats: 3}\n")
    environment = {"SHOTLINE_BROKER__HEARTBEAT_S": "1.5", "SHOTLINE_BROKER__PROBE_S": "1.5"}
    overrides: dict[str, JsonValue] = {"broker.heartbeat_s": "1.25", "broker.servers_max": 7}
    broker = load_config(file, overrides, environment).broker
    assert broker.servers_max == 7
    assert (broker.heartbeat_s, broker.probe_s, broker.suspect_beats) == (1.25, 1.5, 3)
    assert broker.server_lost_s == BrokerSection().server_lost_s


def test_what_the_environment_says_must_be_text(file: Path) -> None:
    file.touch()
    [problem] = problems_of(file, {"SHOTLINE_REDIS__URL": os.fsdecode(b"redis://caf\xe9")})
    assert "SHOTLINE_REDIS__URL" in problem
    assert "is not UTF-8" in problem


def test_an_experiment_in_a_folder_whose_name_is_not_utf_8_is_found(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "x.yaml").touch()
    file = folder / "config.yaml"
    file.write_text("experiments: {X: {source: {kind: file, file: x.yaml}}}\n")
    [problem] = problems_of(file)
    assert "caf\\udce9/x.yaml is not UTF-8" in problem


def test_the_environment_sets_lists_maps_and_nothing(file: Path) -> None:
    file.write_text("redis: {url: 'redis://there:6379'}\n")
    environment = {
        "SHOTLINE_REDIS__URL": "null",
        "SHOTLINE_UP__SERVERS": "[{class: GAS, id: 2}]",
        "SHOTLINE_LOGGING__MAX_SIZE": "77",
        "SHOTLINE_EXPERIMENTS__TEST__SOURCE": "{kind: mdsip, url: 'there:8000'}",
        "SHOTLINE_DATA_FOLDER": str(file.parent / "data"),
        "SHOTLINE_CONFIG": "ignored here",
        "SHOTLINE_SHOT": "a task's variable is none of ours",
        "HOME": "neither",
    }
    config = load_config(file, None, environment)
    assert config.redis.url is None
    assert str(config.redis.address) == "redis://127.0.0.1:5573/0"
    assert [(one.server_class, one.id) for one in config.up.servers] == [("GAS", "2")]
    assert config.logging.max_size == 77
    assert config.experiments["TEST"].source.kind == "mdsip"
    assert config.data_folder == file.parent / "data"


def test_an_empty_file_or_section_has_the_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.write_text("")
    empty = load_config(file, None, NOBODY)
    file.write_text("broker:\n  # heartbeat_s: 2\n")
    assert load_config(file, None, NOBODY) == empty == Config().resolved(file.parent)


def test_what_is_written_is_data_and_what_is_read_stands_beside_the_file(file: Path) -> None:
    data = file.parent / "data"
    file.write_text(
        f"data_folder: {data}\n"
        "redis: {password_file: secret}\n"
        "action_server: {task_path: [lab, /opt/lab]}\n"
        "logging: {file: 'log/{program}.log'}\n"
        "experiments: {DEMO: {source: {kind: file, file: demo.yaml}}}\n"
    )
    config = load_config(file, None, NOBODY)
    assert config.journal.spill_file == data / "journal.spill"
    assert config.redis.folder == data / "redis"
    assert config.action_server.state_folder == data / "servers"
    assert config.redis.password_file == file.parent / "secret"
    assert config.action_server.task_path == (file.parent / "lab", Path("/opt/lab"))
    assert config.logging.file_of("shotline-broker") == data / "log" / "shotline-broker.log"
    source = config.experiments["DEMO"].source
    assert source == FileSource(file=str(file.parent / "demo.yaml"), pulses=str(data / "pulses"))


# What is wrong


def test_all_problems_come_at_once_with_their_lines(file: Path) -> None:
    file.write_text(
        "broker:\n"
        "  heartbeat_s: 0\n"
        "  hartbeat_s: 1\n"
        "  clients: 127.0.0.1:5570\n"
        "up:\n"
        "  servers:\n"
        "    - {class: GAS, slots: true}\n"
        "    - {id: 2}\n"
        "speed: 9\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file, None, NOBODY)
    assert isinstance(caught.value, FileProblems)
    found = {(problem.line, problem.where) for problem in caught.value.problems}
    assert found == {
        (2, "broker.heartbeat_s"),
        (3, "broker.hartbeat_s"),
        (4, "broker.clients"),
        (7, "up.servers[0].slots"),
        (8, "up.servers[1].class"),
        (9, "speed"),
    }
    assert f"{file}:3: broker.hartbeat_s: is not a known key" in str(caught.value)


def test_a_problem_of_environment_or_option_names_it(file: Path) -> None:
    file.write_text("broker: {heartbeat_s: 1}\n")
    environment = {
        "SHOTLINE_BROKER__HEARTBEAT_S": "soon",
        "SHOTLINE_BROKR__CLIENTS": "tcp://127.0.0.1:1",
        "SHOTLINE_UP__SERVERS": "[",
    }
    with pytest.raises(FileProblems) as caught:
        load_config(file, {"redis.url": "http://there"}, environment)
    found = {(str(one.file), one.line, one.where) for one in caught.value.problems}
    assert found == {
        ("environment", None, "SHOTLINE_BROKER__HEARTBEAT_S"),
        ("environment", None, "SHOTLINE_BROKR__CLIENTS"),
        ("environment", None, "SHOTLINE_UP__SERVERS"),
        ("option", None, "redis.url"),
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("broker: {heartbeat_s: 5, server_lost_s: 10}", "broker.server_lost_s"),
        ("broker: {events: 'tcp://127.0.0.1:5570'}", "broker.events"),
        ("broker: {bind: 0.0.0.0}", "broker.bind"),
        ("broker: {servers: 'tcp://10.0.0.1:5571'}", "broker.servers"),
        ("broker: {clients: 'tcp://127.0.0.1:70000'}", "broker.clients"),
        ("broker: {clients: 'tcp://127.0.0.1:0'}", "broker.clients"),
        ("monitor: {address: '::'}", "monitor.address"),
        ("up: {servers: [{class: A, id: 1}, {class: A, id: 1}]}", "up.servers[1]"),
        ("experiments: {demo: {source: {kind: mdsplus}}}", "experiments.demo"),
        ("experiments: {DEMO: {source: {kind: nothing}}}", "experiments.DEMO.source"),
        (
            "experiments: {DEMO: {source: {kind: file, file: missing}}}",
            "experiments.DEMO.source.file",
        ),
        ("redis: {password_file: missing}", "redis.password_file"),
        ("redis: {url: 'redis://there:redis/0'}", "redis.url"),
        ("redis: {url: 'redis://there:65536/0'}", "redis.url"),
        ("redis: {url: 'redis://there:6379/first'}", "redis.url"),
        ("redis: {url: 'redis://there/0?db=first'}", "redis.url"),
        ("redis: {url: 'redis://there/0?max_connections=many'}", "redis.url"),
        ("redis: {url: 'redis:///0'}", "redis.url"),
        ("redis: {url: 'redis://[::1/0'}", "redis.url"),
        ("redis: {url: 'unix://'}", "redis.url"),
        ("redis: {url: 7}", "redis.url"),
        ("legacy: {redis_url: 'redis://there:redis/0'}", "legacy.redis_url"),
        ("redis: {sentinel_password_file: missing}", "redis.sentinel_password_file"),
        ("logging: {file: all.log}", "logging.file"),
        ("logging: {level: loud}", "logging.level"),
        ("security: {insecure: 1}", "security.insecure"),
        ("- broker", ""),
    ],
)
def test_what_cannot_work_is_refused(file: Path, text: str, where: str) -> None:
    file.write_text(text + "\n")
    found = check_config(file, NOBODY)
    assert where in {problem.where for problem in found}
    assert {problem.line for problem in found} == {1}


@pytest.mark.parametrize(
    "url",
    [
        "redis://there",
        "redis://:secret@there:6379/15",
        "rediss://there:6379/0?ssl_ca_certs=/etc/ca.pem",
        "redis://[::1]:6379",
        "unix:///run/redis/redis.sock?db=2",
        "redis-sentinel://lab@one:26379,two/3?master=shotline",
        "rediss-sentinel://one/0?master=shotline&ssl_ca_certs=ca.pem",
    ],
)
def test_every_form_of_a_redis_url_is_taken(file: Path, url: str) -> None:
    file.write_text(f"redis: {{url: '{url}'}}\nlegacy: {{redis_url: '{url}'}}\n")
    file.chmod(0o600)
    assert check_config(file, NOBODY) == []


def test_a_file_that_is_not_there_is_a_problem(file: Path) -> None:
    assert problems_of(file) == [f"{file}: cannot be read: No such file or directory"]


def test_a_folder_of_modules_that_is_not_there_is_a_problem(file: Path) -> None:
    file.write_text("action_server:\n  task_path:\n    - .\n    - lab\n")
    found = check_config(file, NOBODY)
    assert [(one.line, one.where, one.message) for one in found] == [
        (4, "action_server.task_path[1]", f"there is no folder {file.parent / 'lab'}")
    ]


def test_a_class_s_limits_stand_instead_of_all_others(file: Path) -> None:
    file.write_text(
        "action_server:\n"
        "  limits: {cpu_s: 60, open_files: 100}\n"
        "classes:\n"
        "  G*: {limits: {open_files: 300}}\n"
        "  GAS: {limits: {open_files: 200}, nice: 5}\n"
        "  '*': {concurrency: 3}\n"
    )
    config = load_config(file, None, NOBODY)
    assert config.action_server.limits == TaskLimits(cpu_s=60, open_files=100)
    assert config.server_class("GAS").limits == TaskLimits(open_files=200)
    assert config.server_class("GLOW").limits == TaskLimits(open_files=300)
    assert config.server_class("DAQ").limits is None
    assert config.server_class("DAQ").concurrency == 3
    assert Config().server_class("DAQ").concurrency is None


def test_insecure_must_be_said_in_so_many_words(file: Path) -> None:
    open_to_all = "broker: {bind: '*'}\nmonitor: {address: 0.0.0.0}\n"
    file.write_text(open_to_all)
    refused = problems_of(file)
    assert len(refused) == 2
    assert all("insecure: true" in problem for problem in refused)
    file.write_text(open_to_all + "security: {insecure: true}\n")
    assert problems_of(file) == []


@pytest.mark.parametrize(
    "text",
    [
        "broker: {clients: 'tcp://0.0.0.0:1'}",
        "broker: {servers: 'tcp://[::]:1'}",
        "broker: {events: 'tcp://10.1.2.3:1'}",
        "broker: {bind: '::'}",
        "monitor: {address: 0.0.0.0}",
        "monitor: {recodex_zeromq: 'tcp://0.0.0.0:7894'}",
    ],
)
def test_every_address_that_is_bound_is_asked_about(file: Path, text: str) -> None:
    file.write_text(text + "\n")
    [problem] = problems_of(file)
    assert "insecure: true" in problem


def test_who_only_connects_needs_not_say_that_others_may() -> None:
    overrides: dict[str, JsonValue] = {"broker.servers": "tcp://10.1.2.3:5571"}
    assert load_config(EXAMPLE, overrides, NOBODY).broker.servers == "tcp://10.1.2.3:5571"


def test_loopback_is_what_only_this_machine_reaches() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.0.1", "localhost", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "*", "::", "10.1.2.3", "eth0", "a.example")))


def test_the_broker_binds_elsewhere_than_others_connect_to() -> None:
    broker = BrokerSection(
        clients="tcp://control.example:1", servers="tcp://control.example:2", events="ipc://x"
    )
    assert broker.bound_endpoints()["clients"] == "tcp://control.example:1"
    everywhere = broker.model_copy(update={"bind": "::"})
    assert everywhere.bound_endpoints() == {
        "clients": "tcp://[::]:1",
        "servers": "tcp://[::]:2",
        "events": "ipc://x",
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("monitor:\n  port: 5570\n", "broker.clients"),
        ("monitor:\n  address: localhost\n  port: 5572\n", "broker.events"),
        ("monitor:\n  port: 5573\n", "redis.port"),
        ("redis:\n  port: 5571\n", "broker.servers"),
        ("redis:\n  url: redis://127.0.0.1:5580/0\n", "redis.url"),
        ("broker:\n  clients: tcp://localhost:5571\n", "broker.clients"),
    ],
)
def test_no_two_sockets_have_one_port(file: Path, text: str, where: str) -> None:
    file.write_text(text)
    problems = check_config(file, NOBODY)
    assert [where in one.message for one in problems] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "broker:\n  clients: tcp://control:5580\n",
        "redis:\n  url: redis://control:5580/0\n",
        "redis:\n  url: redis://control/0\n  port: 5580\n",
    ],
)
def test_another_machine_may_use_the_same_port(file: Path, text: str) -> None:
    file.write_text(text + "security:\n  insecure: true\n")
    assert check_config(file, NOBODY) == []


@pytest.mark.parametrize("folder", ["taken", "taken/below/that"])
def test_a_data_folder_that_cannot_be_made_is_a_problem(file: Path, folder: str) -> None:
    taken = file.parent / "taken"
    taken.write_text("")
    file.write_text(f"# its place\ndata_folder: {file.parent / folder}\n")
    (problem,) = check_config(file, NOBODY)
    assert (problem.line, problem.where) == (2, "data_folder")
    assert problem.message == f"{taken} is no folder"


def test_bridges_are_off_until_somebody_names_them() -> None:
    config = Config()
    assert "legacy" not in config.up.daemons
    assert config.monitor.recodex_zeromq is None
    target = (ROOT / "etc" / "systemd" / "shotline.target").read_text(encoding="utf-8")
    assert "legacy" not in target
