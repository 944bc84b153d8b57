"""One client out of a backup: compared with the one that lives, exported, or put back."""
