"""The broker: routes messages, judges who is alive, checks roles. Makes no choice."""
