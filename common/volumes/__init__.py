"""The words of data that starts work: files, records, commands, views. Pure.

`files` says what a watcher announces, `records` what the journal holds of it, `commands` and
`views` what is asked and answered. Who decides is `volumes`; who watches is `volumes.watcher`.
"""
