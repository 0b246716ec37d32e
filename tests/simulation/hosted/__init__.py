"""What the dispatcher hosts: pulse queue, ledger of volumes, mdsip servers that are shared."""
