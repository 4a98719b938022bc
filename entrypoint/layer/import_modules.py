"""Import the modules of a layer, each in a separate process; run in the runtime's image.

This script needs only the standard library of Python 3.9. It unpacks `layer.zip` beside itself, as
Lambda does under /opt. `modules.json` lists the modules. `out/failures.json` maps each module that cannot
be imported to the last line of the interpreter's error.
"""

import json
import os
import stat
import subprocess
import sys
import zipfile

SECONDS = 300
CODE = "import sys; sys.path.insert(0, sys.argv[1]); __import__(sys.argv[2])"


def failure(folder, module):
    """Return why a module cannot be imported, or None if it can."""
    command = [sys.executable, "-I", "-B", "-c", CODE, folder, module]
    paths = [os.environ.get("LD_LIBRARY_PATH"), os.path.join(os.path.dirname(folder), "lib")]
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd="/", env=environment
        )
    except subprocess.TimeoutExpired:
        return f"the import did not finish within {SECONDS} s"
    if result.returncode == 0:
        return None
    lines = [line for line in result.stderr.strip().splitlines() if line.strip()]
    return lines[-1] if lines else f"the interpreter exited with code {result.returncode}"


def main():
    """Unpack the layer, import the modules, and write the failures."""
    with zipfile.ZipFile("layer.zip") as archive:
        archive.extractall("opt")
        for info in archive.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                path = os.path.join("opt", info.filename)
                os.remove(path)
                os.symlink(archive.read(info).decode(), path)
    with open("modules.json", encoding="utf-8") as file:
        modules = json.load(file)
    folder = os.path.abspath("opt/python")
    failures = {module: reason for module in modules if (reason := failure(folder, module))}
    os.makedirs("out", exist_ok=True)
    with open("out/failures.json", "w", encoding="utf-8") as file:
        json.dump(failures, file)


if __name__ == "__main__":
    main()
