"""Backups of clusters by pgBackRest: taken, listed, verified, restored beside what lives."""
