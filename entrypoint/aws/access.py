"""Credentials, region, endpoint, and the role to assume in another account."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError, ProfileNotFound
from botocore.model import OperationModel

from entrypoint import __version__
from entrypoint.aws.calls import unreachable
from entrypoint.errors import AwsError

# What botocore reads from where: (key in the profile, variables, default, conversion).
# Every other SDK reads AWS_REGION; boto3 alone does not.
_SETTINGS = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
_NO_PROFILE = {"profile": (None, None, None, None)}
"""For explicit credentials: AWS_PROFILE may name a profile that does not exist, as in a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach AWS; all None for boto3's defaults: environment, profile, instance role."""

    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    region: str | None = None
    #: What CloudTrail shows of this run, as NAME/VALUE: its git commit and its workflow run.
    origin: tuple[str, ...] = ()
    #: Receives a line for each call and its answer.
    trace: Callable[[str], None] | None = None

    def session(self, role: str | None = None) -> boto3.session.Session:
        """Return a session; the role is assumed at first use, and again before its credentials expire.

        Raises:
            AwsError: the profile in the environment does not exist, or there are no credentials.
        """
        own = self._own_session()
        if role is None:
            return own
        source = own.get_credentials()
        if source is None:
            raise unreachable(NoCredentialsError())
        assumed = _botocore_session(_NO_PROFILE if self.access_key else None)
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts(own),
            source_credentials=source,
            role_arn=role,
            extra_args={"RoleSessionName": self._session_name},
        )
        # botocore has no public way to give a session credentials that refresh themselves.
        credentials = DeferredRefreshableCredentials(
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        vars(assumed)["_credentials"] = credentials
        session = boto3.session.Session(botocore_session=assumed, region_name=own.region_name)
        return self._watched(session, account=role.split(":")[4])

    @property
    def user_agent(self) -> str:
        """What is added to botocore's user agent, which CloudTrail records with each call."""
        return " ".join((f"lambda-layers/{__version__}", *self.origin))

    @property
    def _session_name(self) -> str:
        """Return a name that IAM accepts: at most 64 letters, digits and some signs."""
        values = (each.partition("/")[2] for each in self.origin)
        return re.sub(r"[^\w+=,.@-]", "-", "-".join(("lambda-layers", *values)), flags=re.ASCII)[:64]

    def _sts(self, own: boto3.session.Session) -> Callable[..., Any]:
        """Return the factory of the client that assumes the role, at the same endpoint as all others."""

        def create(service: str, **options: Any) -> Any:  # noqa: ANN401 - botocore's own
            region = own.region_name or "us-east-1"
            config = Config(user_agent_extra=self.user_agent, proxies={} if self.endpoint_url else None)
            return own._session.create_client(  # noqa: SLF001
                service, region_name=region, endpoint_url=self.endpoint_url, config=config, **options
            )

        return create

    def _own_session(self) -> boto3.session.Session:
        settings = _SETTINGS | (_NO_PROFILE if self.access_key else {})
        try:
            session = boto3.session.Session(
                botocore_session=_botocore_session(settings),
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name=self.region,
            )
        except ProfileNotFound as error:
            raise AwsError.of(
                str(error), "correct AWS_PROFILE, or add the profile to ~/.aws/config"
            ) from None

        return self._watched(session)

    def _watched(self, session: boto3.session.Session, account: str = "") -> boto3.session.Session:
        """Trace each call of a session, with the request id that AWS support asks for."""
        trace = self.trace
        if trace is None:
            return session

        def begin(context: dict[str, Any], model: OperationModel, **_: object) -> None:
            # The event of a call without an answer has no model.
            context["begun"], context["model"] = time.monotonic(), model

        def end(context: dict[str, Any], **outcome: Any) -> None:  # noqa: ANN401
            model: OperationModel = context["model"]
            answer = outcome.get("parsed", {}).get("ResponseMetadata", {})
            result = (
                outcome.get("exception") or f"{answer.get('HTTPStatusCode')} {answer.get('RequestId', '')}"
            )
            where = "/".join(filter(None, [account, context["client_region"]]))
            took = (time.monotonic() - context["begun"]) * 1e3
            trace(f"{where} {model.service_model.service_name} {model.name}: {result}, {took:.0f} ms")

        session.events.register("before-call", begin)
        session.events.register("after-call", end)
        session.events.register("after-call-error", end)
        return session

    def default_region(self) -> str:
        """Return the region of the environment or the profile; AwsError where there is none."""
        if region := self.session().region_name:
            return region
        raise AwsError.of("no AWS region is set", "add 'regions: [...]' to the manifest, or set AWS_REGION")


def _botocore_session(settings: dict[str, Any] | None = None) -> botocore.session.Session:
    """Return a session that shares botocore's data with all others of this process."""
    session = botocore.session.Session(session_vars=settings)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@cache
def _loader(data_path: str | None) -> botocore.loaders.Loader:
    """Return the loader of botocore's data: endpoints and services are 2 MB of JSON, parsed at first use."""
    return botocore.loaders.create_loader(data_path)
