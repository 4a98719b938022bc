"""AWS: the only importer of boto3. `calls` paces and retries, `region` gives the answers their meaning."""

from entrypoint.edges.aws.region import Access, AwsRegion

__all__ = ["Access", "AwsRegion"]
