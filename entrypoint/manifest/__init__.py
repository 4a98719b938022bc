"""lambda-layers.yml -> Manifest and Targets."""
