"""Everything but Lambda: moto's server application, loaded when the first call for it comes.

moto keeps its state in the process: it is wiped when an instance first loads it, so one `LocalAws` at a
time should use these services. This is the only module that imports moto.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from entrypoint.local_aws.calls import ACCOUNT, CALL, Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

    from entrypoint.local_aws.arns import Scope


class MotoServices:
    """S3, STS, IAM, EC2, CloudWatch, SSM and what else moto serves, as one WSGI application."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._application: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request with moto, as the account that the call is from."""
        call: Call = environ[CALL]
        if call.scope.account != ACCOUNT:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.scope.account
        try:
            return self._loaded()(environ, start_response)
        except NotImplementedError:
            return _unknown(call)(environ, start_response)

    def read_object(self, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        """An object's bytes, for a layer or function published from S3.

        A missing one is a LookupError of S3's code and message.
        """
        self._loaded()
        from moto.s3.exceptions import MissingBucket  # noqa: PLC0415 - moto is loaded lazily
        from moto.s3.models import s3_backends  # noqa: PLC0415

        try:
            found = s3_backends[scope.account][scope.partition].get_object(bucket, key, version)
        except MissingBucket:
            raise LookupError("NoSuchBucket", "The specified bucket does not exist") from None
        if found is None:
            raise LookupError("NoSuchKey", "The specified key does not exist.")
        content: bytes = found.value
        return content

    def create_bucket(self, scope: Scope, bucket: str) -> None:
        """Make a bucket; one that exists is left as it is, whichever account has it: all share the names."""
        self._loaded()
        from moto.s3.models import s3_backends  # noqa: PLC0415 - moto is loaded lazily

        if not any(bucket in account[scope.partition].buckets for account in s3_backends.values()):
            s3_backends[scope.account][scope.partition].create_bucket(bucket, scope.region)

    def account_of(self, access_key: str) -> str:
        """The account that an access key is for; moto's STS hands out keys when a role is assumed."""
        if self._application is None:
            return ACCOUNT
        from moto.iam.models import get_account_id_from  # noqa: PLC0415 - moto is loaded lazily

        account: str = get_account_id_from(access_key)
        return account

    def _loaded(self) -> WSGIApplication:
        with self._lock:
            if self._application is None:
                self._application = _fresh_application()
            return self._application


def _unknown(call: Call) -> WSGIApplication:
    """Answer as the query protocols do; clients of the others find the sentence too."""
    message = f"The embedded AWS does not know {call.operation} of {call.service}"
    error = f"<Error><Code>NotImplementedException</Code><Message>{message}</Message></Error>"
    return Response(f"<ErrorResponse>{error}</ErrorResponse>", status=501, content_type="text/xml")


def _fresh_application() -> WSGIApplication:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto's dependencies' own
        from moto.core.base_backend import BackendDict  # noqa: PLC0415 - a third of a second, often not needed
        from moto.core.model_instances import reset_model_data  # noqa: PLC0415
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
            DomainDispatcherApplication,
            create_backend_app,
        )

    BackendDict.reset()
    reset_model_data()

    def propagating(service: Any) -> Flask:  # noqa: ANN401 - one of the names that moto lists
        application: Flask = create_backend_app(service)
        application.config["PROPAGATE_EXCEPTIONS"] = True  # or what moto does not know is a page of HTML
        return application

    application: WSGIApplication = DomainDispatcherApplication(propagating)
    return application
