"""AWS Lambda's limits around layers, and limits for files from outside.

Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
"""

LAYERS_PER_FUNCTION = 5
UNZIPPED_BYTES = 262_144_000
"""A function's code and all its layers, unzipped; so also the most for one layer."""
DIRECT_UPLOAD_BYTES = 52_428_800
"""The largest archive that PublishLayerVersion takes in its request; larger ones go through S3."""
DESCRIPTION_CHARACTERS = 256
LAYER_NAME_CHARACTERS = 140
CONTROL_PLANE_CALLS_PER_SECOND = 15
"""For every API but GetFunction together, per account and region; cannot be raised."""
LOCAL_CALLS_PER_SECOND = 1000
"""For an endpoint on this machine, such as LocalStack: it has no quota to keep to."""

# Files from outside are refused above these sizes, before they are read or unpacked.
METADATA_BYTES = 4 << 20
"""METADATA, PKG-INFO and pyproject.toml of a package."""
RECORD_BYTES = 32 << 20
"""RECORD of a wheel, for over 200,000 files."""
WHEEL_MEMBERS = 100_000
WHEEL_BYTES = 4 * UNZIPPED_BYTES
"""A wheel, unpacked; layers may exclude a part of it."""
SDIST_BYTES = 1 << 30
"""A source archive, unpacked, as far as it is read here."""

SUBNETS_PER_FUNCTION = 16
SECURITY_GROUPS_PER_FUNCTION = 5
"""https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html"""
UNRESERVED_MINIMUM = 100
"""Concurrent executions of an account that stay unreserved; in accounts with fewer, all of them:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
