"""pre-commit hooks: one small file each, `main(argv) -> int`."""
