"""Large tables on the real machines of all daemons, while everything breaks, often at once."""
