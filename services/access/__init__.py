"""Letting callers in: authentication, admission, API keys, the first administrator."""
