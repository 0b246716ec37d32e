"""What the monitor answers over HTTP: the page, the commands, and for those who watch over it."""
