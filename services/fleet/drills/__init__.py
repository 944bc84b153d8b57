"""Drills: restores that are tried, and what they show."""
