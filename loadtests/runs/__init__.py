"""The stored form of a load test: a folder that says what was run, where, and what was measured.

Everything that makes, reads or compares runs goes through here; nothing here knows a report.
"""
