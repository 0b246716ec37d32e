"""The words of the fleet: what is measured of servers and hosts, and what they are set to. Pure."""
