"""Poolers that run: one started for a trial, and the console of one that serves."""
