"""Every service but Lambda: moto's server application, loaded at the first call.

moto keeps its state in the process, and an instance resets it when it first loads moto, so only one
`LocalAws` at a time should use these services. This is the only module that imports moto.
"""

from __future__ import annotations

import json
import os
import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from entrypoint.local_aws.calls import ACCOUNT, CALL, Call
from entrypoint.local_aws.object_access import lambda_may_read, reading_policy
from entrypoint.local_aws.state import ReferredObject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

    from entrypoint.local_aws.arns import Scope


class MotoServices:
    """S3, STS, IAM, EC2, CloudWatch, SSM and all other services of moto, as one WSGI application."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._application: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request with moto, in the account of the call."""
        call: Call = environ[CALL]
        if call.scope.account != ACCOUNT:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.scope.account
        try:
            return self._loaded()(environ, start_response)
        except NotImplementedError:
            return _unsupported(call)(environ, start_response)

    def read_object(self, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        """Return an object's bytes, for a layer or function published from S3.

        Raises:
            LookupError: the object is missing; with S3's code and message.
        """
        content: bytes = self._object(scope, bucket, key, version).value
        return content

    def refer_to(self, scope: Scope, bucket: str, key: str, version: str | None) -> ReferredObject:
        """Return a version of an object that Lambda itself may read; by default, the newest one.

        Raises:
            LookupError: the object is missing, the bucket keeps no versions, or its policy does not allow it.
        """
        found = self._object(scope, bucket, key, version)
        held = self._s3(scope).get_bucket(bucket)
        if not held.is_versioned:
            raise LookupError("InvalidBucketState", "The bucket does not have versioning enabled.")
        policy = json.loads(held.policy or "{}")
        if not lambda_may_read(policy, scope, f"arn:{scope.partition}:s3:::{bucket}/{key}"):
            raise LookupError("AccessDenied", "Access Denied")
        return ReferredObject(bucket=bucket, key=key, version=found.version_id)

    def restore_object(self, scope: Scope, stored: ReferredObject, content: bytes) -> None:
        """Put a version of an object that an earlier process had."""
        self.create_bucket(scope, stored.bucket, referenced=True)
        made = self._s3(scope).put_object(stored.bucket, stored.key, content)
        made._version_id = stored.version  # noqa: SLF001 - S3 chooses versions itself

    def _object(self, scope: Scope, bucket: str, key: str, version: str | None) -> Any:  # noqa: ANN401 - of moto
        s3 = self._s3(scope)
        from moto.s3.exceptions import MissingBucket  # noqa: PLC0415 - moto is loaded lazily

        try:
            found = s3.get_object(bucket, key, version)
        except MissingBucket:
            raise LookupError("NoSuchBucket", "The specified bucket does not exist") from None
        if found is None:
            raise LookupError("NoSuchKey", "The specified key does not exist.")
        return found

    def _s3(self, scope: Scope) -> Any:  # noqa: ANN401 - of moto
        self._loaded()
        from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is loaded lazily

        return s3_backends[scope.account][scope.partition]

    def create_bucket(self, scope: Scope, bucket: str, *, referenced: bool = False) -> None:
        """Create a bucket, unless it exists in any account: bucket names are global.

        `referenced` lets layers of all accounts refer to its objects.
        """
        s3 = self._s3(scope)
        from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is loaded lazily

        if not any(bucket in account[scope.partition].buckets for account in s3_backends.values()):
            s3.create_bucket(bucket, scope.region)
        if referenced:
            s3.put_bucket_versioning(bucket, "Enabled")
            policy = reading_policy(f"arn:{scope.partition}:s3:::{bucket}/*")
            s3.put_bucket_policy(bucket, json.dumps(policy).encode())

    def alarm_state(self, scope: Scope, name: str) -> str:
        """Return the state of a CloudWatch alarm; empty if it does not exist."""
        self._loaded()
        from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - moto is loaded lazily

        found = cloudwatch_backends[scope.account][scope.region].alarms.get(name)
        return str(found.state_value) if found else ""

    def account_of(self, access_key: str) -> str:
        """Return the account of an access key; moto's STS creates keys for assumed roles."""
        if self._application is None:
            return ACCOUNT
        from moto.iam.models import get_account_id_from  # noqa: PLC0415 - moto is loaded lazily

        account: str = get_account_id_from(access_key)
        return account

    def _loaded(self) -> WSGIApplication:
        with self._lock:
            if self._application is None:
                self._application = _new_application()
            return self._application


def _unsupported(call: Call) -> WSGIApplication:
    """Return a 501 of the query protocols; clients of other protocols show the message too."""
    message = f"The embedded AWS does not support {call.operation} of {call.service}"
    error = f"<Error><Code>NotImplementedException</Code><Message>{message}</Message></Error>"
    return Response(f"<ErrorResponse>{error}</ErrorResponse>", status=501, content_type="text/xml")


def _new_application() -> WSGIApplication:
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # half a second for each region that is used
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of moto's dependencies
        from moto.core.base_backend import BackendDict  # noqa: PLC0415 - slow (a third of a second), and often not needed
        from moto.core.model_instances import reset_model_data  # noqa: PLC0415
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
            DomainDispatcherApplication,
            create_backend_app,
        )

    BackendDict.reset()
    reset_model_data()

    def propagating(service: Any) -> Flask:  # noqa: ANN401 - one of the names that moto lists
        application: Flask = create_backend_app(service)
        application.config["PROPAGATE_EXCEPTIONS"] = (
            True  # otherwise, an unsupported operation returns an HTML page
        )
        return application

    application: WSGIApplication = DomainDispatcherApplication(propagating)
    return application
