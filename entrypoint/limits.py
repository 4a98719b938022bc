"""AWS Lambda's limits around layers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

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
