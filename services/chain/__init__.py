"""Audit chains: what was linked, whether it still says the same, and who vouched for it."""
