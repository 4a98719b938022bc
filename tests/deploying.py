"""A small project that is deployed by the command line, for tests of whole runs."""

import multiprocessing
import os
import sys
from pathlib import Path

from entrypoint.cli import main

COMMAND = "import sys; from entrypoint.cli import main; sys.exit(main())"
UPDATE = "UpdateFunctionConfiguration"
MANIFEST = """\
version: 1
regions: [eu-west-1]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.12, python3.13]}
  tools: {requirements: [six], lock: tools.txt, runtimes: [python3.13]}
functions:
  api: {layers: [web, tools]}
  "report-*": {layers: [web]}
"""


def layers_of(aws, name, region="eu-west-1"):
    """The layers of a function, as name:version."""
    (function,) = (
        function
        for scope, held in aws.cloud.regions.items()
        for function in held.functions.values()
        if scope.region == region and function.name == name
    )
    return [layer.arn.partition(":layer:")[2] for layer in function.latest.layers]


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "boto3",
        "httpcore2",
        "deploying",
        "entrypoint.commands.open",
        "entrypoint.report.console",
        "entrypoint.report.sbom",
    ]
)


def started(*arguments):
    """Start a command in a process that has already imported what it needs; its output goes nowhere."""
    process = _FORKS.Process(target=_run, args=(arguments, Path.cwd(), dict(os.environ)))
    process.start()
    return process


def _run(arguments, folder, environment):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    sys.exit(main(arguments))
