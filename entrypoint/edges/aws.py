"""AWS: the only importer of boto3. Calls are paced and retried here; meaning is given to them elsewhere.

botocore's own retries are switched off for Lambda, because each attempt has to go through the one
pace of the account and region, and because a lost answer to PublishLayerVersion must not be answered
by publishing again.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from entrypoint.edges.pacing import Pace
from entrypoint.errors import AwsError, RolloutError
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.manifest import Bucket
from entrypoint.release.aws_lambda import (
    Function,
    LayerVersion,
    StaleRevisionError,
    UnclearAnswerError,
    UpdateInProgressError,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_LAMBDA = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=120,
    max_pool_connections=32,
)
_S3 = Config(retries={"mode": "standard", "total_max_attempts": 6})
_ATTEMPTS = 10
_LONGEST_PAUSE = 20.0
_LONGEST_UPDATE = 900
"""Seconds; an update that attaches a VPC takes minutes."""
_POLL = 1.0
_LOST = (BotoConnectionError, ReadTimeoutError, HTTPClientError)
_THROTTLES = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_OWN_BUCKET = {"get_function"}
"""Calls with a quota of their own (100 a second), which the shared pace need not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How AWS is reached; all None for boto3's own way: environment, profile, instance role."""

    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    region: str | None = None

    def session(self) -> boto3.session.Session:
        """Return a session; AwsError where the environment names a profile that does not exist."""
        try:
            return boto3.session.Session(
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
    """AWS Lambda, and S3 for what is too large for it, in one region."""

    def __init__(self, region: str, *, access: Access, bucket: Bucket | None) -> None:
        self.region = region
        self._bucket = bucket
        self._access = access
        self._session = access.session()
        self._lambda: LambdaClient = self._session.client(
            "lambda", region_name=region, endpoint_url=access.endpoint_url, config=_LAMBDA
        )
        self._pace = Pace(clock=time.monotonic, sleep=time.sleep)

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
        self._wait_until_updated(name)
        return _function(self._call("get_function", FunctionName=name)["Configuration"])

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
        self._wait_until_updated(function.name)

    def _wait_until_updated(self, name: str) -> None:
        deadline = time.monotonic() + _LONGEST_UPDATE
        while time.monotonic() < deadline:
            configuration = self._call("get_function", FunctionName=name)["Configuration"]
            status = configuration.get("LastUpdateStatus", "Successful")
            if status == "Successful":
                return
            if status == "Failed":
                reason = configuration.get("LastUpdateStatusReason", "AWS gives no reason")
                code = configuration.get("LastUpdateStatusReasonCode", "no code")
                message = f"the update of {name} failed: {reason} ({code})"
                raise RolloutError.of(message, "it goes on as it was before; mend this and run again")
            time.sleep(_POLL)
        message = f"the update of {name} was still in progress after {_LONGEST_UPDATE} s"
        raise RolloutError.of(message, "look at the function in AWS, then run again")

    def _content(self, name: str, archive: Path) -> dict[str, Any]:
        if archive.stat().st_size <= DIRECT_UPLOAD_BYTES or self._bucket is None:
            return {"ZipFile": archive.read_bytes()}
        bucket = self._bucket.name_in(self.region)
        with archive.open("rb") as file:
            key = f"{self._bucket.prefix}{name}/{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"
        try:
            s3 = self._session.client(
                "s3", region_name=self.region, endpoint_url=self._access.endpoint_url, config=_S3
            )
            s3.upload_file(str(archive), bucket, key)
        except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error) as error:
            message = f"{archive.name} could not be put into the bucket {bucket}: {error}"
            raise AwsError.of(
                message, "see that the bucket stands in this region and s3:PutObject is allowed"
            ) from None
        return {"S3Bucket": bucket, "S3Key": key}

    def _pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        marker: dict[str, str] = {}
        while True:
            page = self._call(operation, MaxItems=50, **marker, **parameters)
            yield page
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        """Make a call at the region's pace; try again where that can help and does no harm."""
        call = getattr(self._lambda, operation)
        for attempt in range(_ATTEMPTS):
            if operation not in _OWN_BUCKET:
                self._pace.wait()
            try:
                answer: dict[str, Any] = call(**parameters)
            except ClientError as error:
                if not self._may_retry(operation, error):
                    raise _refusal(operation, parameters, error) from None
                last: Exception = error
            except _LOST as error:
                if operation == "publish_layer_version":
                    raise UnclearAnswerError from error
                last = error
            except (NoCredentialsError, PartialCredentialsError, NoRegionError, BotoCoreError) as error:
                raise _unreachable(error) from None
            else:
                self._pace.succeeded()
                return answer
            time.sleep(min(_LONGEST_PAUSE, 0.05 * 2**attempt))
        raise AwsError.of(
            f"{operation} failed {_ATTEMPTS} times: {last}", "run again later: nothing is lost"
        ) from None

    def _may_retry(self, operation: str, error: ClientError) -> bool:
        response: Any = error.response
        code = response["Error"]["Code"]
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        if code in _THROTTLES or status == 429:  # noqa: PLR2004 - Too Many Requests
            self._pace.throttled(float(response.get("retryAfterSeconds") or 0))
            return True
        if status >= 500 and operation == "publish_layer_version":  # noqa: PLR2004 - server errors
            raise UnclearAnswerError from error
        return bool(status >= 500)  # noqa: PLR2004


def _layer_version(item: Any) -> LayerVersion:  # noqa: ANN401 - botocore's own shape
    return LayerVersion(
        arn=item["LayerVersionArn"], version=item["Version"], description=item.get("Description", "")
    )


def _function(item: Any) -> Function:  # noqa: ANN401 - botocore's own shape
    return Function(
        name=item["FunctionName"],
        arn=item["FunctionArn"],
        runtime=item.get("Runtime", ""),
        architecture=item.get("Architectures", ["x86_64"])[0],
        layers=tuple(layer["Arn"] for layer in item.get("Layers", [])),
        revision_id=item["RevisionId"],
        package_type=item.get("PackageType", "Zip"),
    )


def _unreachable(error: Exception) -> AwsError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        remedy = (
            "set AWS_PROFILE or the AWS_* variables; in a workflow use aws-actions/configure-aws-credentials"
        )
        return AwsError.of("there are no AWS credentials", remedy)
    return AwsError.of(f"AWS cannot be reached: {error}", "check the region, the network and the credentials")


def _refusal(operation: str, parameters: dict[str, Any], error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    text = error.response["Error"].get("Message", "")
    name = parameters.get("FunctionName") or parameters.get("LayerName") or ""
    if operation == "update_function_configuration" and code == "ResourceConflictException":
        return UpdateInProgressError(text)
    if operation == "update_function_configuration" and code == "PreconditionFailedException":
        return StaleRevisionError(text)
    action = "lambda:" + "".join(part.capitalize() for part in operation.split("_"))
    message = f"AWS refuses {action} {name}: {text} ({code})"
    if code in {"AccessDeniedException", "AccessDenied"}:
        return AwsError.of(message, f"allow {action} to the role of this run")
    if code in {"UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException"}:
        return AwsError.of(message, "get fresh credentials")
    if operation == "update_function_configuration":
        return RolloutError.of(message, "mend this and run again; the function is as it was")
    return AwsError.of(message, "mend this and run again")
