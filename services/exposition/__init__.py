"""Figures as Prometheus reads them, of one process and of several that serve one port."""
