"""Whether one set of runs is worse than another, and how sure that is."""
