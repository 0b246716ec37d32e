"""Who may use the monitor, and for what: the gate that every request and WebSocket passes.

Pure parts: `rules` (where a request comes from), `proxies` (what a reverse proxy vouches for),
`identity`, `sessions`, `throttle` (of logins) and `lease` (one controls, others watch). `gate`
knows files, clock and passwords; `handlers` answers over HTTP. Users and tokens are in
`common.accounts`.
"""

from shotline.monitor.access.identity import Identity, Refusal
from shotline.monitor.access.rules import HEADER, cookie_names

__all__ = ["HEADER", "Identity", "Refusal", "cookie_names"]
