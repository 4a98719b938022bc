"""Assembles and verifies one target from cached wheels, and prints how long that took."""

import json
import sys
import time
from pathlib import Path

from entrypoint.layer.assemble import assemble
from entrypoint.layer.inspect import inspect
from entrypoint.layer.layout import lay_out
from entrypoint.layer.verify import verify
from entrypoint.manifest.project import load_project
from entrypoint.wheels.fetch import Wheel

work, name, output = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
project = load_project(work / "lambda-layers.yml", root=work, variables={})
target = next(target for target in project.targets if str(target) == name)
built = json.loads((work / ".lambda-layers" / "build" / f"{name}.json").read_text())
cache = work / "cache"
wheels = [
    Wheel(
        name=package["name"],
        version=package["version"],
        filename=package["wheel"],
        sha256=package["sha256"],
        path=cache / "wheels" / package["sha256"] / package["wheel"],
    )
    for package in built["packages"]
]
begin = time.perf_counter()
archive = assemble([lay_out(inspect(wheel, cache), target.platform.runtime) for wheel in wheels], output)
findings = verify(archive, target)
print(time.perf_counter() - begin)
