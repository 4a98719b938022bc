"""The outside world: each module is the only importer of its library."""
