"""Words and plumbing that every daemon shares: actions, messages, configuration, sockets."""
