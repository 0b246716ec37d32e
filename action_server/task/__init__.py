"""What runs in a worker process: tasks, one after the other, and what is put back after each.

The server starts it (`__main__`) and knows of it what `channel` says; nothing here knows the
server. Nothing is loaded by this file: the worker hangs on its lifeline first.
"""
