"""What several test files share: fakes on real sockets, and the real daemons as processes."""
