"""Wheels -> a verified layer archive."""
