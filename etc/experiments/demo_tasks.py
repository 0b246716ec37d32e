"""The tasks of the demo experiment: a small tokamak that exists only in arithmetic.

Each task does a piece of the work of a shot in the folder of the pulse: it reads the files that
earlier actions wrote there, and writes its own. Nothing is random, so that every shot is alike. The
times that real power supplies and pumps would take are waited for; `SHOTLINE_DEMO_PACE` scales
them (0: no waiting).

    CONTROL  settings, coils, gas, interlocks, the plasma itself, the report
    HEATING  neutral beam (NBI) and microwaves (ECRH)
    DAQ      vacuum gauges, digitizers and the analysis of what they recorded
"""

import cmath
import csv
import json
import math
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from shotline.action_server.progress import progress
from shotline.action_server.variables import variables

COILS: Final = ("TF1", "TF2", "TF3", "OH", "PF1")
ELECTRON_CHARGE_C: Final = 1.602e-19
PLASMA_STEP_S: Final = 0.002
SAMPLE_RATE_HZ: Final = 50_000
WINDOW: Final = 2048  # samples of one spectrum


class HardwareFault(Exception):
    """A device did not do what it was asked for."""


# Before the pulse


def configure(plasma_current_ka: float, field_t: float, gas: str) -> str:
    """Write the settings of the shot, from which everything else follows."""
    settings = {
        "tree": os.environ.get("SHOTLINE_TREE", "DEMO"),
        "shot": int(os.environ.get("SHOTLINE_SHOT", "0")),
        "plasma_current_ka": plasma_current_ka,
        "field_t": field_t,
        "gas": gas,
        "coil_current_ka": round(field_t * 4.8, 3),
        "flat_top_s": 1.6,
        "heating_kw": {"NBI": 850.0, "ECRH": 400.0},
    }
    for name, value in settings.items():
        print(f"{name:18} {value}")
    _wait(0.6)
    _write_json("settings.json", settings)
    return f"{plasma_current_ka:g} kA at {field_t:g} T in {gas}"


def pump_down(limit_mbar: float) -> str:
    """Follow the pressure in the vessel until it is low enough for a plasma."""
    pressure, base, minutes = 3.1e-5, 4e-8, 0
    history = [pressure]
    while pressure > limit_mbar:
        _wait(0.12)
        minutes += 1
        pressure = base + (pressure - base) * math.exp(-0.42)
        history.append(pressure)
        done = math.log(history[0] / pressure) / math.log(history[0] / limit_mbar)
        progress(min(done, 1.0), f"{pressure:.1e} mbar")
        if minutes % 4 == 0:
            print(f"{minutes:3} min  {pressure:.2e} mbar")
    _write_json("vacuum.json", {"pressure_mbar": pressure, "history_mbar": history})
    return f"{pressure:.1e} mbar after {minutes} min"


def charge_coils(supply_v: float) -> str:
    """Charge the coils from their supplies: L di/dt = U - R i, all until the first one is there."""
    target_a = _read_json("settings.json")["coil_current_ka"] * 1000
    inductance_h, step_s = 0.010, 0.005
    resistance_ohm = {name: 0.0100 + 0.0001 * number for number, name in enumerate(COILS)}
    current_a = dict.fromkeys(COILS, 0.0)
    rows: list[list[float]] = []
    moment = 0
    while max(current_a.values()) < target_a:
        for name, current in current_a.items():
            slope = (supply_v - resistance_ohm[name] * current) / inductance_h
            current_a[name] = min(current + slope * step_s, target_a)
        rows.append([moment * step_s, *(round(current, 2) for current in current_a.values())])
        moment += 1
        if moment % 20 == 0:
            fraction = max(current_a.values()) / target_a
            progress(min(fraction, 1.0), f"{max(current_a.values()) / 1000:.1f} kA")
            _wait(0.2)
    _write_csv("coils.csv", ["time_s", *COILS], rows)
    for name, current in current_a.items():
        print(f"coil {name:4} {current / 1000:7.3f} kA")
    return f"{target_a / 1000:.1f} kA after {moment * step_s:.2f} s"


def fill_gas(pressure_mbar: float) -> str:
    """Open the valve in pulses until the vessel holds enough gas; it needs a good vacuum."""
    base = _read_json("vacuum.json")["pressure_mbar"]
    gas = _read_json("settings.json")["gas"]
    pressure, pulses = base, 0
    while pressure < pressure_mbar:
        pulses += 1
        pressure += pressure_mbar / 8
        progress(min(pressure / pressure_mbar, 1.0), f"valve pulse {pulses}")
        print(f"valve open 20 ms, {gas} at {pressure:.2e} mbar")
        _wait(0.1)
    _write_json("gas.json", {"gas": gas, "pressure_mbar": pressure, "valve_pulses": pulses})
    return f"{pulses} valve pulses"


def arm(digitizer: str, channels: int) -> str:
    """Set a digitizer up, channel by channel, and write down how."""
    gains = {}
    for channel in range(1, channels + 1):
        gains[f"{digitizer}_{channel:02}"] = 2 ** (channel % 4)
        progress(channel / channels, f"channel {channel} of {channels}")
        _wait(0.1)
    armed = {"digitizer": digitizer, "rate_hz": SAMPLE_RATE_HZ, "gains": gains}
    _write_json(f"{digitizer.lower()}_armed.json", armed)
    print(f"{digitizer}: {channels} channels at {SAMPLE_RATE_HZ} samples/s, waiting for a trigger")
    return f"{channels} channels armed"


def arm_camera(attempts: int) -> None:
    """Try to reach the camera. Its link is broken, as it has been since last week."""
    for number in range(1, attempts + 1):
        print(f"attempt {number}: asking camera 10.7.3.22 for its frame header")
        _wait(0.5)
        sent, received = 0x5A17, 0x5A17 ^ (number << 4)
        print(f"  header checksum {received:#06x}, expected {sent:#06x}")
    raise HardwareFault(
        f"camera 10.7.3.22: {attempts} damaged frame headers; check the fibre at port 7"
    )


def condition_beam(pulses: int) -> str:
    """Condition the ion source: raise its voltage in pulses, less far after a breakdown."""
    voltage_kv, goal_kv, breakdowns = 18.0, 27.0, 0
    for number in range(1, pulses + 1):
        if number % 5 == 0 and voltage_kv > 22:
            breakdowns += 1
            voltage_kv -= 0.8
            print(f"pulse {number:2}: breakdown at {voltage_kv + 0.8:.1f} kV")
        else:
            voltage_kv = min(voltage_kv + 0.9, goal_kv)
        progress(number / pulses, f"{voltage_kv:.1f} kV")
        _wait(0.17)
    _write_json("nbi_source.json", {"voltage_kv": voltage_kv, "breakdowns": breakdowns})
    return f"{voltage_kv:.1f} kV, {breakdowns} breakdowns"


def warn_operators(device: str) -> str:
    """Tell the operators that a device will be missing from this shot."""
    print(f"{device} is not available: the pulse goes on without it")
    _write_json("missing.json", [device])
    return f"goes on without {device}"


def check_interlocks() -> str:
    """Let the pulse go on only when coils, gas and beam are as they should be."""
    settings = _read_json("settings.json")
    coil_ka = _read_csv("coils.csv")["TF1"][-1] / 1000
    gas_mbar = _read_json("gas.json")["pressure_mbar"]
    voltage_kv = _read_json("nbi_source.json")["voltage_kv"]
    checks = {
        f"coil TF1 at {coil_ka:.2f} kA": coil_ka > 0.98 * settings["coil_current_ka"],
        f"gas at {gas_mbar:.1e} mbar": 5e-5 < gas_mbar < 5e-4,
        f"beam source at {voltage_kv:.1f} kV": voltage_kv > 20,
    }
    for check, good in checks.items():
        print(f"{'ok  ' if good else 'FAIL'} {check}")
        _wait(0.15)
    failed = [check for check, good in checks.items() if not good]
    if failed:
        raise HardwareFault(f"interlock: {', '.join(failed)}")
    return "all clear"


# The pulse


def trigger(countdown: int) -> str:
    """Count down and write the moment to which all recordings refer."""
    for number in range(countdown, 0, -1):
        print(f"{number} ...")
        progress((countdown - number) / countdown, f"{number}")
        _wait(0.4)
    _write_json("trigger.json", {"time_zero": "plasma breakdown", "countdown": countdown})
    print("trigger")
    return "triggered"


def discharge() -> str:
    """Run the plasma: current, density and temperature against time, written as a table."""
    settings = _read_json("settings.json")
    filling = _read_json("gas.json")["pressure_mbar"]
    goal_ka, flat_top_s = settings["plasma_current_ka"], settings["flat_top_s"]
    ramp_s = 0.3
    end_s = flat_top_s + 2 * ramp_s
    density, temperature_ev = 0.0, 8.0  # density in 1e19 per cubic metre
    rows: list[list[float]] = []
    steps = round(end_s / PLASMA_STEP_S)
    for step in range(steps + 1):
        now_s = step * PLASMA_STEP_S
        shape = min(1.0, now_s / ramp_s, (end_s - now_s) / ramp_s)
        current_ka = goal_ka * shape * (1 + 0.004 * math.sin(40 * now_s))
        density += (filling * 2.2e4 * shape - density) * PLASMA_STEP_S / 0.12
        heating_kw = 300 * shape**2 + _heating_kw(settings, now_s)
        gain_ev = 1.9 * heating_kw / max(density, 0.3) ** 0.5
        temperature_ev += (gain_ev - temperature_ev) * PLASMA_STEP_S / 0.09
        rows.append(
            [round(now_s, 4), round(current_ka, 3), round(density, 4), round(temperature_ev, 2)]
        )
        if step % 55 == 0:
            progress(step / steps, f"{current_ka:.0f} kA, {temperature_ev:.0f} eV")
            _wait(0.25)
        if step % 220 == 0:
            print(f"t={now_s:4.2f} s  {current_ka:6.1f} kA  {temperature_ev:6.0f} eV")
    _write_csv("plasma.csv", ["time_s", "current_ka", "density_e19", "temperature_ev"], rows)
    return f"{end_s:.1f} s of plasma"


def fire(source: str) -> str:
    """Heat the plasma, and write down with how much power at what time."""
    power_kw = _read_json("settings.json")["heating_kw"][source]
    beams_mw = variables().get("beam_power_mw")  # of a plan of the pulse queue
    if source == "NBI" and beams_mw is not None:
        power_kw = 1000 * sum(beams_mw)
    rows = []
    for step in range(25):
        now_s = 0.5 + 0.04 * step
        ripple = 1 + 0.03 * math.sin(9 * now_s)
        rows.append([round(now_s, 3), round(power_kw * ripple, 1)])
        progress((step + 1) / 25, f"{rows[-1][1]:.0f} kW")
        _wait(0.11)
    _write_csv(f"{source.lower()}.csv", ["time_s", "power_kw"], rows)
    energy_kj = sum(power for _, power in rows) * 0.04
    print(f"{source}: {energy_kj:.0f} kJ in {len(rows) * 0.04:.2f} s")
    return f"{energy_kj:.0f} kJ"


def acquire(digitizer: str) -> str:
    """Record what an armed digitizer sees, into a file of doubles."""
    armed = _read_json(f"{digitizer.lower()}_armed.json")
    signals = {"MAGNETICS": _mirnov_signal, "INTERFEROMETER": _phase_signal}
    samples = array("d")
    count = 8 * WINDOW
    for number, value in enumerate(signals[digitizer](armed["rate_hz"]), start=1):
        samples.append(value)
        if number % WINDOW == 0:
            progress(number / count, f"{number} samples")
            _wait(0.3)
        if number == count:
            break
    path = _folder() / f"{digitizer.lower()}.dat"
    path.write_bytes(samples.tobytes())
    print(f"{digitizer}: {count} samples in {path.name}, {path.stat().st_size} bytes")
    return f"{count} samples"


# After the pulse


def integrate_current() -> str:
    """Find the charge that the plasma carried, and its flat top, from the current."""
    plasma = _read_csv("plasma.csv")
    current_ka = plasma["current_ka"]
    charge_kc = 0.0
    for number, (left, right) in enumerate(pairwise(current_ka)):
        charge_kc += (left + right) / 2 * PLASMA_STEP_S
        if number % 100 == 0:
            progress(number / len(current_ka), f"{charge_kc:.0f} kC")
            _wait(0.12)
    top = [value for value in current_ka if value > 0.95 * max(current_ka)]
    result = {
        "charge_kc": round(charge_kc, 2),
        "mean_current_ka": round(sum(top) / len(top), 2),
        "flat_top_s": round(len(top) * PLASMA_STEP_S, 3),
    }
    _write_json("current.json", result)
    print(json.dumps(result, indent=1))
    return f"{result['mean_current_ka']} kA for {result['flat_top_s']} s"


def find_modes(peaks: int) -> str:
    """Search the magnetic oscillations for modes: the highest lines of their mean spectrum."""
    samples = _read_samples("magnetics.dat")
    windows = len(samples) // WINDOW
    mean = [0.0] * (WINDOW // 2)
    for number in range(windows):
        part = samples[number * WINDOW : (number + 1) * WINDOW]
        hann = [
            value * (0.5 - 0.5 * math.cos(2 * math.pi * place / WINDOW))
            for place, value in enumerate(part)
        ]
        for place, value in enumerate(_fourier_transform(hann)[: WINDOW // 2]):
            mean[place] += abs(value) / windows
        progress((number + 1) / windows, f"window {number + 1} of {windows}")
        _wait(0.35)
    # A line is higher than both its neighbours.
    middle = range(8, WINDOW // 2 - 1)
    lines = [place for place in middle if mean[place - 1] < mean[place] > mean[place + 1]]
    highest = sorted(lines, key=lambda place: mean[place], reverse=True)[:peaks]
    modes = [
        {"frequency_hz": round(place * SAMPLE_RATE_HZ / WINDOW), "height": round(mean[place], 1)}
        for place in highest
    ]
    for mode in modes:
        print(f"mode at {mode['frequency_hz']:6.0f} Hz, height {mode['height']:.1f}")
    _write_json("modes.json", modes)
    return f"strongest mode at {modes[0]['frequency_hz']} Hz"


def line_density() -> str:
    """Unwrap the interferometer's phase and turn it into a density."""
    phases = _read_samples("interferometer.dat")
    turns, last, unwrapped = 0, phases[0], []
    for number, phase in enumerate(phases):
        turns -= round((phase - last) / (2 * math.pi))
        last = phase
        unwrapped.append(phase + 2 * math.pi * turns)
        if number % WINDOW == 0:
            progress(number / len(phases), f"{turns} fringes")
            _wait(0.2)
    density = [phase / 5.2 for phase in unwrapped]
    result = {"mean_e19": round(sum(density) / len(density), 3), "fringes": turns}
    _write_json("density.json", result)
    print(f"{turns} fringes, mean density {result['mean_e19']}e19 per cubic metre")
    return f"{result['mean_e19']}e19 per cubic metre"


def energy_confinement(volume_m3: float) -> str:
    """Compare the energy in the plasma with the power that holds it there."""
    plasma = _read_csv("plasma.csv")
    power_kw = 300.0 + sum(
        sum(table["power_kw"]) / len(table["power_kw"])
        for table in (_read_csv("nbi.csv"), _read_csv("ecrh.csv"))
    )
    middle = len(plasma["time_s"]) // 2
    pressure = plasma["density_e19"][middle] * 1e19 * plasma["temperature_ev"][middle]
    energy_kj = 3 * pressure * ELECTRON_CHARGE_C * volume_m3 / 1000
    _wait(0.8)
    result = {"energy_kj": round(energy_kj, 2), "power_kw": round(power_kw, 1)}
    result["confinement_ms"] = round(1000 * result["energy_kj"] / result["power_kw"], 1)
    _write_json("energy.json", result)
    for name, value in result.items():
        print(f"{name:15} {value}")
    return f"{result['confinement_ms']} ms"


def discharge_coils() -> str:
    """Let the coils' current decay, and check that nothing is left in them."""
    charged = _read_csv("coils.csv")
    current_a = {name: charged[name][-1] for name in COILS}
    started = max(current_a.values())
    while max(current_a.values()) > 50:
        current_a = {name: current * 0.7 for name, current in current_a.items()}
        left = max(current_a.values())
        progress(1 - left / started, f"{left / 1000:.2f} kA")
        _wait(0.2)
    _write_json("coils_after.json", current_a)
    print(f"below 50 A in all {len(current_a)} coils")
    return "coils are safe"


def report() -> str:
    """Write the shot's report from what all the others left in the folder."""
    settings = _read_json("settings.json")
    current, density = _read_json("current.json"), _read_json("density.json")
    modes, energy = _read_json("modes.json"), _read_json("energy.json")
    missing = _folder() / "missing.json"
    absent = json.loads(missing.read_text()) if missing.exists() else []
    lines = [
        f"Shot {settings['tree']}/{settings['shot']}",
        f"  plasma current    {current['mean_current_ka']} kA for {current['flat_top_s']} s",
        f"  density           {density['mean_e19']}e19 per cubic metre",
        f"  strongest mode    {modes[0]['frequency_hz']} Hz",
        f"  confinement time  {energy['confinement_ms']} ms at {energy['power_kw']} kW",
        f"  missing           {', '.join(absent) or 'nothing'}",
    ]
    _wait(0.5)
    (_folder() / "report.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return "report.txt"


# Arithmetic


def _heating_kw(settings: dict[str, Any], now_s: float) -> float:
    return sum(settings["heating_kw"].values()) if 0.5 <= now_s <= 1.5 else 0.0


def _mirnov_signal(rate_hz: int) -> Iterator[float]:
    """Two rotating modes and noise that is the same in every shot."""
    noise = 12_345
    number = 0
    while True:
        now_s = number / rate_hz
        noise = (1_103_515_245 * noise + 12_345) % 2**31
        yield (
            1.00 * math.sin(2 * math.pi * 5_200 * now_s)
            + 0.35 * math.sin(2 * math.pi * 11_400 * now_s)
            + 0.80 * (noise / 2**30 - 1)
        )
        number += 1


def _phase_signal(rate_hz: int) -> Iterator[float]:
    """The interferometer's phase between -pi and pi, as the density rises to 3.1e19."""
    number = 0
    while True:
        phase = 5.2 * 3.1 * (1 - math.exp(-number / rate_hz / 0.08))
        yield (phase + math.pi) % (2 * math.pi) - math.pi
        number += 1


def _fourier_transform(values: Sequence[complex]) -> list[complex]:
    """Return the discrete Fourier transform; the length must be a power of two."""
    if len(values) == 1:
        return [complex(values[0])]
    even, odd = _fourier_transform(values[::2]), _fourier_transform(values[1::2])
    half = len(even)
    turned = [cmath.exp(-1j * math.pi * place / half) * value for place, value in enumerate(odd)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [
        a - b for a, b in zip(even, turned, strict=True)
    ]


# Files and time


def _folder() -> Path:
    return Path(os.environ.get("SHOTLINE_SHOT_DIR", "."))


def _wait(seconds: float) -> None:
    time.sleep(seconds * float(os.environ.get("SHOTLINE_DEMO_PACE", "1")))


def _write_json(name: str, value: object) -> None:
    (_folder() / name).write_text(json.dumps(value, indent=1) + "\n")


def _read_json(name: str) -> Any:
    return json.loads((_folder() / name).read_text())


def _write_csv(name: str, header: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    with (_folder() / name).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def _read_csv(name: str) -> dict[str, list[float]]:
    with (_folder() / name).open(newline="") as stream:
        header, *rows = csv.reader(stream)
    return {name: [float(row[place]) for row in rows] for place, name in enumerate(header)}


def _read_samples(name: str) -> "array[float]":
    samples = array("d")
    samples.frombytes((_folder() / name).read_bytes())
    return samples
