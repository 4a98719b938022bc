"""Every region is in its partition, wherever an ARN or a link is made for it."""

import json

import boto3
import pytest
from planning import read

from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination
from entrypoint.partitions import partition_of
from entrypoint.release.iam_policy import iam_policy
from entrypoint.report.summary import _link

PARTITIONS = {
    "eu-west-1": "aws",
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eu-isoe-west-1": "aws-iso-e",
    "us-isof-south-1": "aws-iso-f",
    "eusc-de-east-1": "aws-eusc",
    "eu-west-99": "aws",
    "xx-new-1": "aws",
}


@pytest.mark.parametrize(("region", "partition"), PARTITIONS.items())
def test_the_policy_and_the_embedded_aws_agree(region, partition):
    assert partition_of(region) == partition
    manifest, layers = read("layers: {web: {requirements: [six], runtimes: [python3.13]}}")
    policy = iam_policy(manifest, layers, regions=[region], account="123456789012")
    assert f"arn:{partition}:lambda:{region}:123456789012:layer:web" in json.dumps(policy)
    if region == "xx-new-1":
        return
    with LocalAws(region=region) as aws:
        aws.declare_function("api")
        layer = aws.declare_layer_version("web", account="123456789012")
        assert layer == f"arn:{partition}:lambda:{region}:123456789012:layer:web:1"
        client = boto3.client(
            "lambda",
            endpoint_url=aws.endpoint_url,
            region_name=region,
            aws_access_key_id="123456789012",
            aws_secret_access_key="local",
        )
        found = client.get_function_configuration(FunctionName="api")
        client.close()
    assert found["FunctionArn"] == f"arn:{partition}:lambda:{region}:123456789012:function:api"
    assert found["Role"].startswith(f"arn:{partition}:iam::")


def test_only_the_console_of_the_public_partition_is_linked():
    links = {region: _link(Destination(region), "functions/api") for region in PARTITIONS}
    for region in ("eu-west-1", "eu-west-99"):
        assert f"https://{region}.console.aws.amazon.com/lambda" in links[region]
    assert links["cn-north-1"] == "cn-north-1"
    assert links["us-isob-east-1"] == "us-isob-east-1"
    assert links["eusc-de-east-1"] == "eusc-de-east-1"
