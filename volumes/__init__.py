"""Data that starts work (DESIGN §11): the ledger of data records, a pure machine.

The dispatcher hosts it (docs/decisions/0037); `fold` is its state, `machine` decides. Who watches
the disks is the daemon in `volumes.watcher`, which never imports the ledger.
"""
