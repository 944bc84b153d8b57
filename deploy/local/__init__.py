"""The local fleet: starts, hurts, heals and stops real servers on this machine's loopback."""
