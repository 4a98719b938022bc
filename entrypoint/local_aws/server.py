"""The server of the embedded AWS: a threaded HTTP server on loopback, for one `with` block."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from entrypoint.local_aws import declarations
from entrypoint.local_aws import state_file as files
from entrypoint.local_aws.api_model import lambda_model
from entrypoint.local_aws.application import LambdaApplication, ServiceRouter
from entrypoint.local_aws.archive_store import ArchiveStore
from entrypoint.local_aws.arns import LATEST, Scope
from entrypoint.local_aws.calls import ACCOUNT, Call, CallLog, read_call
from entrypoint.local_aws.code_deploy import CodeDeployApplication
from entrypoint.local_aws.moto_services import MotoServices
from entrypoint.local_aws.state import Cloud, UpdateStatus
from entrypoint.local_aws.tagging import TaggingApplication

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

    from entrypoint.local_aws.invocations import InvocationRequest

REGION = "eu-west-1"
_POLL_SECONDS = 0.02  # how often the server checks whether to stop


class LocalAws:
    """An AWS in this process. Lambda is a strict implementation of our own; moto provides the rest.

    With `state_file`, Lambda's state is read at the start and written at the end, and the archives of layers
    are stored in a folder next to it; moto's services (S3, SSM, ...) start empty each time. `middleware`
    wraps the whole application, to inject faults for example; the `Call` is in `environ[CALL]`. A minute of
    CodeDeploy's deployments takes `deployment_minute` seconds. An access
    key of twelve digits is the caller's account.
    """

    def __init__(
        self,
        *,
        region: str = REGION,
        state_file: Path | None = None,
        middleware: Callable[[WSGIApplication], WSGIApplication] | None = None,
        update_seconds: float = 0.0,
        deployment_minute: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self.endpoint_url = ""
        self._state_file = state_file
        self._moto = MotoServices()
        self.cloud = Cloud(
            clock=clock,
            update_seconds=update_seconds,
            read_object=self._moto.read_object,
            refer_to=self._moto.refer_to,
            archives=ArchiveStore(state_file.with_suffix("") if state_file else None),
        )
        if state_file is not None:
            self.cloud.regions = files.load(state_file)
            for scope, version in self.cloud.referring():  # S3 itself starts empty
                content = self.cloud.archives.read(version.archive.sha256)
                if version.object and content is not None:
                    self._moto.restore_object(scope, version.object, content)
        self._model = lambda_model()
        application: WSGIApplication = ServiceRouter(
            {
                "lambda": LambdaApplication(self.cloud, self._model),
                "codedeploy": CodeDeployApplication(self.cloud, self._moto.alarm_state, deployment_minute),
                "tagging": TaggingApplication(self.cloud),
                "layer-archives": self.cloud.archives,
            },
            self._moto,
        )
        if middleware is not None:
            application = middleware(application)
        self._log = CallLog(application, self._name_call)
        self._server: BaseWSGIServer | None = None

    def __enter__(self) -> Self:
        self._server = _listen(self._log)
        self.endpoint_url = self.cloud.endpoint_url = f"http://127.0.0.1:{self._server.port}"
        Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._state_file is not None:
            with self.cloud.lock:
                files.save(self._state_file, self.cloud.regions)
                self.cloud.archives.keep_only(self.cloud.layer_hashes())

    def _name_call(self, environ: WSGIEnvironment) -> Call:
        return read_call(environ, self._model, self.region, self._moto.account_of)

    @property
    def call_log(self) -> tuple[Call, ...]:
        """Return every call so far, in order of arrival."""
        return tuple(self._log.calls)

    def environment(self, *, account: str = ACCOUNT, region: str | None = None) -> dict[str, str]:
        """Return the environment variables that make boto3 (and the AWS CLI) use this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region or self.region,
            "AWS_DEFAULT_REGION": region or self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        }

    def declare_function(
        self,
        name: str,
        *,
        runtime: str = "python3.13",
        architecture: str = "x86_64",
        layers: Sequence[str] = (),
        package_type: str = "Zip",
        code_size_unzipped: int = 1_000_000,
        vpc: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> str:
        """Declare an active function, unless it exists; return its ARN.

        `vpc` has Lambda's keys: SubnetIds, SecurityGroupIds, VpcId. `settings` are others, by Lambda's names.
        """
        scope = Scope(account, region or self.region)
        with self.cloud.lock:
            declarations.declare_function(
                self.cloud,
                scope,
                name,
                runtime=runtime,
                architecture=architecture,
                layers=layers,
                package_type=package_type,
                code_size_unzipped=code_size_unzipped,
                vpc=vpc,
                tags=tags,
                more=settings,
            )
        return scope.arn("function", name)

    def declare_sources(
        self, function: str, sources: Sequence[str], *, region: str | None = None, account: str = ACCOUNT
    ) -> None:
        """Declare the event sources of a function: ARNs of streams and queues."""
        scope = Scope(account, region or self.region)
        with self.cloud.lock:
            self.cloud.region(scope).functions[function].sources = tuple(sources)

    def declare_executions(
        self,
        function: str,
        status: str,
        *names: str,
        version: str = LATEST,
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> None:
        """Declare executions of a durable function, that began on a version and are in this state."""
        made = tuple({"Name": name, "Version": version, "Status": status} for name in names)
        with self.cloud.lock:
            self.cloud.region(Scope(account, region or self.region)).functions[function].executions += made

    def declare_alias(
        self, function: str, name: str, *, region: str | None = None, account: str = ACCOUNT
    ) -> None:
        """Declare an alias of a function, and a published version for it, unless the alias exists."""
        with self.cloud.lock:
            declarations.declare_alias(self.cloud, Scope(account, region or self.region), function, name)

    def declare_layer_version(
        self,
        name: str,
        *,
        account: str,
        version: int = 1,
        shared_with: Sequence[str] = ("*",),
        runtimes: Sequence[str] | None = None,
        architectures: Sequence[str] | None = None,
        size_unzipped: int = 1_000_000,
        description: str | None = None,
        region: str | None = None,
    ) -> str:
        """Declare a layer version of any account, shared with accounts or `*`; return its ARN."""
        scope = Scope(account, region or self.region)
        with self.cloud.lock:
            return declarations.declare_layer_version(
                self.cloud,
                scope,
                name,
                number=version,
                shared_with=shared_with,
                runtimes=runtimes,
                architectures=architectures,
                size_unzipped=size_unzipped,
                description=description,
            )

    def declare_runtime(
        self,
        name: str,
        alias: str,
        lifecycle: Mapping[str, str] | None = None,
        *,
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> str:
        """Declare an alias of a customer-managed runtime; return the runtime's ARN.

        `lifecycle` has Lambda's keys, such as FunctionUpdateBlockDate.
        """
        scope = Scope(account, region or self.region)
        with self.cloud.lock:
            self.cloud.region(scope).runtimes[f"{name}:{alias}"] = dict(lifecycle or {})
        return f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:runtime/{name}"

    def declare_bucket(
        self, name: str, *, region: str | None = None, account: str = ACCOUNT, referenced: bool = False
    ) -> None:
        """Declare an S3 bucket, unless it exists; `referenced` lets layers refer to its objects."""
        self._moto.create_bucket(Scope(account, region or self.region), name, referenced=referenced)

    def fail_next_update(
        self,
        name: str,
        *,
        reason_code: str = "InternalError",
        reason: str = "The update failed.",
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> None:
        """Make the next update of a function fail: its previous configuration stays in effect."""
        outcome = UpdateStatus(status="Failed", reason_code=reason_code, reason=reason)
        with self.cloud.lock:
            self.cloud.region(Scope(account, region or self.region)).functions[name].next_outcome = outcome

    def fail_next_start(
        self,
        name: str,
        *,
        reason_code: str = "InsufficientCapacity",
        reason: str = "There is no capacity.",
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> None:
        """Make the next version of a function that is published fail to start."""
        outcome = UpdateStatus(status="Failed", reason_code=reason_code, reason=reason)
        with self.cloud.lock:
            self.cloud.region(Scope(account, region or self.region)).functions[name].next_start = outcome

    def answer_invocations(
        self,
        name: str,
        handler: Callable[[InvocationRequest], bytes],
        *,
        region: str | None = None,
        account: str = ACCOUNT,
    ) -> None:
        """Register a handler for a function's invocations; an exception becomes a function error."""
        self.cloud.handlers[Scope(account, region or self.region).arn("function", name)] = handler


def _listen(application: WSGIApplication) -> BaseWSGIServer:
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - only needed to start the server

    class QuietHandler(WSGIRequestHandler):
        """Logs no requests; the call log has them."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Do nothing."""

    return make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
