"""Requirements -> pinned and hashed locks."""
