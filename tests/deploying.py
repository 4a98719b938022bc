"""A small project that is deployed by the command line, for tests of whole runs."""

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
