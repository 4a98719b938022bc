"""Imports modules from a layer, each in a process of its own; run in the runtime's image.

It stands alone, for Python 3.9 and later. `layer.zip` is unpacked beside it as Lambda would under /opt;
`modules.json` lists what to import. `out/failures.json` tells what could not be, with the last lines of
the interpreter's error.
"""

import json
import os
import subprocess
import sys
import zipfile

SECONDS = 300
CODE = "import sys; sys.path.insert(0, sys.argv[1]); __import__(sys.argv[2])"


def failure(folder, module):
    """Return why a module cannot be imported, or None where it can."""
    command = [sys.executable, "-I", "-B", "-c", CODE, folder, module]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd="/")
    except subprocess.TimeoutExpired:
        return f"the import did not end within {SECONDS} s"
    if result.returncode == 0:
        return None
    lines = [line for line in result.stderr.strip().splitlines() if line.strip()]
    return lines[-1] if lines else f"the interpreter ended with {result.returncode}"


def main():
    """Unpack, import, and tell."""
    with zipfile.ZipFile("layer.zip") as archive:
        archive.extractall("opt")
    with open("modules.json", encoding="utf-8") as file:
        modules = json.load(file)
    folder = os.path.abspath("opt/python")
    failures = {module: reason for module in modules if (reason := failure(folder, module))}
    os.makedirs("out", exist_ok=True)
    with open("out/failures.json", "w", encoding="utf-8") as file:
        json.dump(failures, file)


if __name__ == "__main__":
    main()
