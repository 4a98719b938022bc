"""What happens on this machine, in order: lock, fetch, assemble, verify."""
