"""A large shot for tests of the page: failures of an earlier phase, what runs, what waits."""

import time
from typing import Final

import msgspec
from tests.support.fleet_page import beside, mixed, one
from tests.support.fleet_page import tell as tell_fleet
from tests.support.mock_monitor import MockMonitor, action

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.views import ActionView, RunView

CLASSES: Final = ("CONTROL", "HEATING", "CAMERA", "DAQ", "DIAG")
SERVERS_EACH: Final = 12
LONG_NAME: Final = "DIAGNOSTICS:THOMSON_SCATTERING:SPECTROMETER_07:ACQUIRE_RAW"
LONG_REASON: Final = (
    "HardwareFault: camera 10.7.3.22: 3 damaged pixels in row 417, and the cooling water is at "
    "31.4 °C, which is above its limit of 30 °C"
)
BEGAN_S: Final = 300.0  # before now


def large_shot(
    monitor: MockMonitor, *, count: int = 700, tree: str = "DEMO", shot: int = 7
) -> None:
    """Let there be a shot with so many actions: INIT is over, PULSE runs, STORE is to come."""
    now = time.time()
    began = now - BEGAN_S
    first = count // 2
    actions = [_done(number, began + number * 0.3) for number in range(first)]
    for number, name, reason in (
        (3, LONG_NAME, LONG_REASON),
        (first // 2, "GAS:VALVE_3", "timed out after 5.0 s"),
        (first - 9, "CAMERA:ARM", "HardwareFault: it is hot"),
    ):
        actions[number] = _failed(number, name, began + number * 0.3, reason)
    actions += [_running(first + number, now - 5) for number in range(20)]
    actions += [_pending(number, "PULSE") for number in range(first + 20, count - 30)]
    actions += [_pending(number, "STORE") for number in range(count - 30, count)]
    told = {"tree": tree, "shot": shot, "kind": "phase", "counts": {}}
    over = {"run": 1, "phase": "INIT", "state": "ended", "outcome": "completed"}
    runs = (
        told | over | {"opened_at": began, "ended_at": began + 120, "duration_s": 120.0},
        told | {"run": 2, "phase": "PULSE", "state": "open", "opened_at": now - 5},
    )
    monitor.shot(
        tree,
        shot,
        *actions,
        phases=("INIT", "PULSE", "STORE"),
        runs=tuple(msgspec.convert(run, RunView) for run in runs),
    )


def all_of_it(monitor: MockMonitor, *, count: int = 700) -> None:
    """Let every tab have something to show."""
    large_shot(monitor, count=count)
    tell_fleet(monitor, *mixed(), fleet=beside())
    for level in ("debug", "info", "warning", "error"):
        monitor.log(f"this is of the level {level}", level=level, source="dispatcher")
    monitor.log("a worker of DAQ:1 has died: " + LONG_REASON, level="error", source="DAQ:1")


def many_servers(monitor: MockMonitor) -> None:
    """Let there be sixty servers, those on which the shot runs."""
    tell_fleet(monitor, *(one(_server(number), number) for number in range(60)))


def _server(number: int) -> str:
    return f"{CLASSES[number % len(CLASSES)]}:{number // len(CLASSES) % SERVERS_EACH + 1}"


def _fields(number: int, phase: str, **more: object) -> dict[str, object]:
    name = CLASSES[number % len(CLASSES)]
    return {"server_class": name, "phase": phase, "number": number // 10 + 1} | more


def _name(number: int) -> str:
    return f"{CLASSES[number % len(CLASSES)]}:STEP_{number:03}"


def _done(number: int, began: float) -> ActionView:
    return action(
        _name(number),
        ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        server=_server(number),
        run=1,
        attempt=1,
        dispatched_at=began - 0.01,
        started_at=began,
        ended_at=began + 0.25,
        duration_s=0.25,
        **_fields(number, "INIT"),
    )


def _failed(number: int, name: str, began: float, reason: str) -> ActionView:
    return action(
        name,
        ActionState.DONE,
        status=Status.FAILURE,
        cause=Cause.TIMEOUT if "timed" in reason else Cause.RESULT,
        reason=reason,
        server=_server(number),
        run=1,
        attempt=1,
        dispatched_at=began - 0.01,
        started_at=began,
        ended_at=began + 0.2,
        duration_s=0.2,
        **_fields(number, "INIT"),
    )


def _running(number: int, began: float) -> ActionView:
    return action(
        _name(number),
        ActionState.DOING,
        server=_server(number),
        run=2,
        attempt=1,
        dispatched_at=began - 0.01,
        started_at=began,
        progress=(number % 10) / 10,
        progress_text="400 kA, 953 eV",
        **_fields(number, "PULSE"),
    )


def _pending(number: int, phase: str) -> ActionView:
    waits = "" if phase == "PULSE" else "phase STORE to be run"
    return action(_name(number), waits_for=waits, **_fields(number, phase))
