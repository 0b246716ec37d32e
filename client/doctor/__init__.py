"""Whether a site is in order, from end to end, and what to do where it is not.

`machine` looks at the machine on which it runs, `site` at broker, dispatcher and servers, `store`
at Redis, `page` at the monitor and the proxies before it. `bundle` gathers what helps others to
help.
"""
