"""`variables()`: the variables of the shot that the running task belongs to.

    from shotline.action_server.variables import variables

    power_mw = variables().get("beam_power_mw", 0.0)

A plan of the pulse queue sets them, or whoever builds the shot's tables. Any program finds them as
JSON in its environment, SHOTLINE_VARIABLES; outside of a shot there are none.
"""

import json
import os
from typing import Any, Final

VARIABLE: Final = "SHOTLINE_VARIABLES"


def variables() -> dict[str, Any]:
    """Return them by name, as JSON has them."""
    found = json.loads(os.environ.get(VARIABLE) or "{}")
    return found if isinstance(found, dict) else {}
