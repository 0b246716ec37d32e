"""A Shotline for the tests of supervisors; its face is `shotline.client.fake`.

`shotline` has what a test sees: commands, and what it says of actions. `system` is a whole Shotline
in one object: the dispatcher's real machine (`dispatcher`) over a journal in memory (`journal`),
servers that run nothing (`servers`), and experiments (`experiments`). The project's own tests drive
the machine by the same `dispatcher` and `journal`.
"""
