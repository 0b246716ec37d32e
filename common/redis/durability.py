"""Whether a Redis server keeps what it is told, by its settings. Pure."""

from collections.abc import Mapping
from typing import Final

from shotline.common.settings.sections.redis import RedisSection

SETTINGS: Final = ("maxmemory-policy", "appendonly", "appendfsync", "min-replicas-to-write")
UNTOLD: Final = (
    "Redis does not tell its settings ({error}): make sure that maxmemory-policy is noeviction and "
    "appendonly is yes"
)


def warnings_about(settings: Mapping[str, str], redis: RedisSection) -> list[str]:
    """Return what is wrong with the values of SETTINGS, and what that means, in words."""
    policy, append, sync, replicas = (settings[name] for name in SETTINGS)
    least = redis.append_fsync
    warnings = []
    if policy != "noeviction":
        warnings.append(
            f"Redis may remove shots when its memory is full: maxmemory-policy is {policy}; "
            "set it to noeviction"
        )
    if redis.address.master and replicas == "0":
        warnings.append(
            "A master that was cut off from its replicas goes on taking commits, which the next "
            "master will not have: set min-replicas-to-write to 1"
        )
    if least == "any":
        return warnings
    if append != "yes":
        warnings.append(
            "Redis forgets what it was told since its last snapshot when it ends: appendonly is "
            f"{append}; set it to yes"
        )
    elif sync == "no" or (least == "always" and sync != "always"):
        loss = "many seconds" if sync == "no" else "up to two seconds"
        warnings.append(
            f"A crash of Redis's machine may lose {loss} of the journal: appendfsync is {sync}; "
            f"set it to {least}"
        )
    return warnings
