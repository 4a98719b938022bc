"""Package indexes: pip's settings, listings, candidates, wheel tags, downloads."""
