"""The configuration's sections: every key, its unit, its default and its limits.

A file a daemon or subject. How a file, the environment and options become one `Config`, and what is
checked between sections, is `config`'s business. Every key is described here, shown in
`etc/config.yaml`, and part of `etc/config.schema.json`; tests hold the three together.
"""
