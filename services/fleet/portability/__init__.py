"""A whole tenant in a folder: out of a fleet, proven anywhere, into another fleet; and erased."""
