"""Removes the services that are never called from botocore: 16 MB of compressed descriptions."""

import shutil
from pathlib import Path

import botocore

SERVICES = {
    *("cloudwatch", "codedeploy", "ec2", "iam", "lambda", "lambda-core", "resourcegroupstaggingapi", "s3"),
    *("service-quotas", "sqs", "ssm"),
    # The sources of credentials.
    *("signin", "sso", "sso-oidc", "sts"),
}


def main(folder: Path) -> None:
    """Delete all other services below `folder`; those to keep must exist."""
    for service in SERVICES:
        (folder / service).resolve(strict=True)
    for path in folder.iterdir():
        if path.is_dir() and path.name not in SERVICES:
            shutil.rmtree(path)


if __name__ == "__main__":
    main(Path(botocore.__file__).parent / "data")
