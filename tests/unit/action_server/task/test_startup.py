"""A worker process begins before the first task, and again after many: it loads what that needs."""

from tests.support.loaded import loaded


def test_a_worker_process_loads_nothing_that_checks_a_configuration() -> None:
    found = loaded("import shotline.action_server.task.execute, shotline.action_server.task.tasks")
    assert "msgspec" in found
    assert not found & {"asyncio", "pydantic", "yaml", "zmq"}
