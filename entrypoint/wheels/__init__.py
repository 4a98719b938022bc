"""Locks -> wheels on disk, downloaded or built from source."""
