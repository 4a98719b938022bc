"""The options that several commands share."""

from entrypoint.commands.command import Option, repeated, switch, valued
from entrypoint.manifest.schema import DEFAULT_PATH

MANIFEST = valued("--manifest", "FILE", "default: %(default)s", default=DEFAULT_PATH)
SET = repeated(
    "--set",
    "NAME[=VALUE]",
    "set ${NAME} in the manifest and in requirements files; without a value, use the environment variable",
)
FROM = repeated(
    "--from",
    "NAME=VALUE",
    "publish the layer versions of the deployment with this value of ${NAME}, unchanged; build nothing",
)
OUTSIDE = repeated(
    "--allow-outside", "FOLDER", "let the manifest use files of this folder outside the repository"
)
QUIET = switch("--quiet", "print only results, warnings and errors")
VERBOSE = switch("--verbose", "print each call to AWS")
CACHE = valued("--cache", "FOLDER", "the folder for wheels; default: ~/.cache/lambda-layers")
SARIF = valued("--sarif", "FILE", "also write all problems to this file, for code scanning")
LOCKED = switch("--locked", "fail where a layer has no lock")
JSON = switch("--json", "print JSON")
TARGETS = repeated("--target", "TARGET", "only this target, such as web-python3.13-arm64")
AWS = Option("--aws", "use the embedded AWS, whose state is in .lambda-layers/", {"choices": ["local"]})

COMMON = (MANIFEST, SET, OUTSIDE, QUIET)
"""For every command that does something with a project."""
ON_AWS = (*COMMON, VERBOSE, AWS)
"""For every command that calls AWS."""
