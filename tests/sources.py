"""Tiny sources to compile: each has a build backend of its own, so that building them needs no index.

Unless they say that they require something to be built.
"""

from pathlib import Path

from package_index import make_sdist

_PYPROJECT = """\
[build-system]
requires = {requires}
build-backend = "backend"
backend-path = ["."]
"""
_CODE = """\
#include <Python.h>
static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
_BACKEND = """\
import os, pathlib, platform, subprocess, sys, sysconfig, zipfile

def get_requires_for_build_wheel(settings=None):
    return {asks}

def build_wheel(folder, settings=None, metadata=None):
    {first}
    python = f"cp{{sys.version_info[0]}}{{sys.version_info[1]}}"
    stem, tag = "{stem}", f"{{python}}-{{python}}-linux_{{platform.machine()}}"
    library = "{name}" + sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    subprocess.run(["cc", "-shared", "-fPIC", "-g", f"-I{{include}}", "-o", library, "{name}.c"], check=True)
    metadata = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{requires}"
    files = {{
        library: pathlib.Path(library).read_bytes(),
        f"{{stem}}.dist-info/METADATA": metadata.encode(),
        f"{{stem}}.dist-info/WHEEL": f"Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: {{tag}}\\n".encode(),
        f"{{stem}}.dist-info/RECORD": b"",
    }}
    with zipfile.ZipFile(os.path.join(folder, f"{{stem}}-{{tag}}.whl"), "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return f"{{stem}}-{{tag}}.whl"
"""


_PURE_BACKEND = """\
import os, zipfile

def build_wheel(folder, settings=None, metadata=None):
    stem = "{name}-{version}"
    files = {{
        "{name}.py": b"",
        f"{{stem}}.dist-info/METADATA": b"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
        f"{{stem}}.dist-info/WHEEL": b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{{stem}}.dist-info/RECORD": b"",
    }}
    with zipfile.ZipFile(os.path.join(folder, f"{{stem}}-py3-none-any.whl"), "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return f"{{stem}}-py3-none-any.whl"
"""


def make_pure_source(folder: Path, name: str, version: str) -> Path:
    """Write an sdist without compiled code."""
    backend = _PURE_BACKEND.format(name=name, version=version)
    files = {"pyproject.toml": _PYPROJECT.format(requires=[]), "backend.py": backend}
    return make_sdist(folder, name, version, files=files)


def make_source(
    folder: Path,
    name: str,
    version: str,
    *,
    first: str = "pass",
    requires: tuple[str, ...] = (),
    build_requires: tuple[str, ...] = (),
    asks: tuple[str, ...] = (),
    **details,
) -> Path:
    """Write an sdist with a C extension.

    Its backend begins with the statement `first`, and asks for the requirements `asks`.
    """
    backend = _BACKEND.format(
        name=name,
        version=version,
        stem=f"{name}-{version}",
        first=first,
        asks=list(asks),
        requires="".join(f"Requires-Dist: {text}\\n" for text in requires),
    )
    pyproject = _PYPROJECT.format(requires=list(build_requires))
    files = {"pyproject.toml": pyproject, "backend.py": backend, f"{name}.c": _CODE.format(name=name)}
    return make_sdist(folder, name, version, files=files, **details)
