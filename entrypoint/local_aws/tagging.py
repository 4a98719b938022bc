"""The Resource Groups Tagging API: GetResources of functions, by tags.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from entrypoint.local_aws.calls import CALL, Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from entrypoint.local_aws.state import Cloud

_PAGE = 100


class TaggingApplication:
    """GetResources for functions of a `Cloud`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call: Call = environ[CALL]
        given = json.loads(Request(environ).get_data() or b"{}")
        return _json(self._matching(call, given))(environ, start_response)

    def _matching(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        with self._cloud.lock:
            functions = sorted(self._cloud.region(call.scope).functions.items())
            every = [
                {
                    "ResourceARN": call.scope.arn("function", name),
                    "Tags": [{"Key": key, "Value": value} for key, value in function.tags.items()],
                }
                for name, function in functions
                if function.tags
                and all(_matches(function.tags, each) for each in given.get("TagFilters", ()))
            ]
        start = int(given.get("PaginationToken") or 0)
        rest = start + _PAGE
        token = str(rest) if rest < len(every) else ""
        return {"ResourceTagMappingList": every[start:rest], "PaginationToken": token}


def _matches(tags: dict[str, str], tag_filter: dict[str, Any]) -> bool:
    values = tag_filter.get("Values", [])
    return tag_filter["Key"] in tags and (not values or tags[tag_filter["Key"]] in values)


def _json(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer), content_type="application/x-amz-json-1.1")
