"""The words of the pulse queue: plans and kinds, records, views, commands. Pure.

`plans` and `kinds` say what an entry and a kind of plans are, `records` what the journal holds of
the queue, `fold` what that makes, `views` and `commands` what is asked and answered. Who decides is
`pulse_queue`.
"""
