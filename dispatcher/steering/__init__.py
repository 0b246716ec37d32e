"""Hosts the fleet's machine (`shotline.fleet`), which says what servers are set to."""
