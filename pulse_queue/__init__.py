"""The pulse queue: a pure machine that the dispatcher hosts (DESIGN §9).

`machine` takes operations and what became of the queue's own commands; `table` says what is allowed
in which state; `editing` changes the list, `running` runs one plan after the other, `checks` says
what is wrong with a plan. All share the `core`: the fold of the records, and the ways out.
"""
