"""What has been: shots in Redis and in files, looked at beside the dispatcher's loop.

`reader` answers (pure) out of a `store`; `worker` is the process in which it does, `host` keeps
that process for the dispatcher, `jobs` is what goes between the two.
"""
