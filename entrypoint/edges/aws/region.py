"""One region of AWS as the release stages see it: answers of boto3 go in, values come out."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from entrypoint.edges.aws.calls import LambdaCalls, unreachable
from entrypoint.errors import AwsError, RolloutError
from entrypoint.limits import CONTROL_PLANE_CALLS_PER_SECOND, DIRECT_UPLOAD_BYTES
from entrypoint.manifest import Bucket
from entrypoint.release.aws_lambda import Function, LayerVersion

_LAMBDA = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=120,
    max_pool_connections=64,
)
_S3 = Config(retries={"mode": "standard", "total_max_attempts": 6})
_LONGEST_UPDATE = 900.0
"""Seconds; an update that attaches a VPC takes minutes."""
_POLL = 1.0
_THROUGH_S3 = DIRECT_UPLOAD_BYTES - 2**20
"""With a bucket at hand, what is near the limit goes there too: the request as base64 JSON is the larger."""
# What botocore reads from where: (key in the profile, variables, default, conversion).
# Every other SDK reads AWS_REGION; boto3 alone does not.
_SETTINGS = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
_NO_PROFILE = {"profile": (None, None, None, None)}
"""For credentials that are spelt out: AWS_PROFILE may name what is not there, in a container say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How AWS is reached; all None for boto3's own way: environment, profile, instance role."""

    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    region: str | None = None

    def session(self) -> boto3.session.Session:
        """Return a session; AwsError where the environment names a profile that does not exist."""
        settings = _SETTINGS | (_NO_PROFILE if self.access_key else {})
        try:
            return boto3.session.Session(
                botocore_session=botocore.session.Session(session_vars=settings),
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name=self.region,
            )
        except ProfileNotFound as error:
            raise AwsError.of(str(error), "mend AWS_PROFILE, or add the profile to ~/.aws/config") from None

    def default_region(self) -> str:
        """Return the region that the environment or the profile names; AwsError where none does."""
        if region := self.session().region_name:
            return region
        raise AwsError.of("no region is given", "write 'regions: [...]' in the manifest, or set AWS_REGION")


class AwsRegion:
    """AWS Lambda, and S3 for what is too large for it, in one region; safe to share between threads.

    Raises:
        AwsError: where the credentials or the region cannot be what they are said to be.
    """

    def __init__(
        self,
        region: str,
        *,
        access: Access,
        bucket: Bucket | None,
        quota: float = CONTROL_PLANE_CALLS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.region = region
        self._bucket = bucket
        self._access = access
        self._session = access.session()
        self._clock = clock
        self._sleep = sleep
        try:
            self._lambda = self._session.client("lambda", **self._reached(_LAMBDA))
        except BotoCoreError as error:
            raise unreachable(error) from None
        self._call = LambdaCalls(self._lambda, quota=quota, clock=clock, sleep=sleep)

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._lambda.close()

    def layer_versions(self, name: str) -> Iterator[LayerVersion]:
        """Yield a layer's versions, newest first."""
        for page in self._pages("list_layer_versions", LayerName=name):
            for item in page["LayerVersions"]:
                yield _layer_version(item)

    def functions(self) -> Iterator[Function]:
        """Yield every function of the region."""
        for page in self._pages("list_functions"):
            for item in page["Functions"]:
                yield _function(item)

    def function(self, name: str) -> Function:
        """Return a function when no update of it is in progress."""
        return _function(self._settled(name))

    def code_sha256(self, name: str, version: int) -> str:
        """Return the base64 SHA-256 of a layer version's archive."""
        answer = self._call("get_layer_version", LayerName=name, VersionNumber=version)
        return str(answer["Content"]["CodeSha256"])

    def publish_layer_version(
        self,
        *,
        name: str,
        description: str,
        archive: Path,
        runtimes: tuple[str, ...],
        architectures: tuple[str, ...],
        license: str | None,  # noqa: A002 - the API's own word
    ) -> LayerVersion:
        """Publish an archive as the layer's next version, through S3 where it is too large to be sent."""
        answer = self._call(
            "publish_layer_version",
            LayerName=name,
            Description=description,
            Content=self._content(name, archive),
            CompatibleRuntimes=list(runtimes),
            CompatibleArchitectures=list(architectures),
            **({"LicenseInfo": license} if license else {}),
        )
        return _layer_version(answer)

    def update_layers(self, function: Function, layers: tuple[str, ...]) -> None:
        """Set a function's layers and wait until the update has succeeded."""
        self._call(
            "update_function_configuration",
            FunctionName=function.name,
            Layers=list(layers),
            RevisionId=function.revision_id,
        )
        configuration = self._settled(function.name)
        if configuration.get("LastUpdateStatus") == "Failed":
            reason = configuration.get("LastUpdateStatusReason", "AWS gives no reason")
            code = configuration.get("LastUpdateStatusReasonCode", "no code")
            message = f"the update of {function.name} failed: {reason} ({code})"
            raise RolloutError.of(message, "it goes on as it was before; mend this and run again")

    def _settled(self, name: str) -> dict[str, Any]:
        """Return a function's configuration when it is neither being created nor being updated."""
        deadline = self._clock() + _LONGEST_UPDATE
        while self._clock() < deadline:
            configuration: dict[str, Any] = self._call("get_function", FunctionName=name)["Configuration"]
            is_new = configuration.get("State") == "Pending"
            if not is_new and configuration.get("LastUpdateStatus") != "InProgress":
                return configuration
            self._sleep(_POLL)
        message = f"the update of {name} was still in progress after {_LONGEST_UPDATE:.0f} s"
        raise RolloutError.of(message, "look at the function in AWS, then run again")

    def _content(self, name: str, archive: Path) -> dict[str, object]:
        if self._bucket is None or archive.stat().st_size <= _THROUGH_S3:
            return {"ZipFile": archive.read_bytes()}
        bucket = self._bucket.name_in(self.region)
        with archive.open("rb") as file:
            key = f"{self._bucket.prefix}{name}/{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"
        try:
            with closing(self._session.client("s3", **self._reached(_S3))) as s3:
                s3.upload_file(str(archive), bucket, key)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            message = f"{archive.name} could not be put into the bucket {bucket}: {error}"
            remedy = f"see that it stands in {self.region}, and that s3:PutObject is allowed on it"
            raise AwsError.of(message, remedy) from None
        return {"S3Bucket": bucket, "S3Key": key}

    def _reached(self, config: Config) -> dict[str, Any]:
        """Say how a client gets there: an endpoint that is named outright is near, behind no proxy."""
        endpoint = self._access.endpoint_url
        config = config.merge(Config(proxies={})) if endpoint else config
        return {"region_name": self.region, "endpoint_url": endpoint, "config": config}

    def _pages(self, operation: str, **parameters: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, str] = {}
        while True:
            page = self._call(operation, MaxItems=50, **marker, **parameters)
            yield page
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}


def _layer_version(item: Mapping[str, Any]) -> LayerVersion:
    return LayerVersion(
        arn=item["LayerVersionArn"],
        version=item["Version"],
        description=item.get("Description", ""),
        runtimes=frozenset(item.get("CompatibleRuntimes", ())),
        architectures=frozenset(item.get("CompatibleArchitectures", ())),
    )


def _function(item: Mapping[str, Any]) -> Function:
    return Function(
        name=item["FunctionName"],
        arn=item["FunctionArn"],
        runtime=item.get("Runtime", ""),
        architecture=item.get("Architectures", ["x86_64"])[0],
        layers=tuple(layer["Arn"] for layer in item.get("Layers", [])),
        revision_id=item["RevisionId"],
        package_type=item.get("PackageType", "Zip"),
    )
