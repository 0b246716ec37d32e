"""What is asked of the dispatcher: where commands arrive, and the families that carry them out.

`requests` takes each command and answers it once; `run_commands`, `server_commands` and
`tree_commands` carry out those that change something, `queries` those that only look. Pure.
"""
