"""Lambda Layer Pipeline: one manifest, one workflow step, and AWS matches it."""

__version__ = "0.1.0"
