"""Data keys: where they come from, how they are wrapped, and what is done with them."""
