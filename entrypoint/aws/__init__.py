"""AWS: the only importer of boto3.

`access` has the credentials, `region` the clients and the pace, `calls` makes each call; `layers`,
`functions`, `aliases`, `health`, `alarms`, `parameters` and `diagnosis` give the answers their meaning.
"""

from entrypoint.aws.access import Access
from entrypoint.aws.alarms import Alarms
from entrypoint.aws.aliases import Aliases
from entrypoint.aws.diagnosis import Diagnosis
from entrypoint.aws.layers import Layers
from entrypoint.aws.parameters import Parameters

__all__ = ["Access", "AwsRegion"]


class AwsRegion(Layers, Aliases, Alarms, Parameters, Diagnosis):
    """One account and region of AWS as the release stages see it."""
