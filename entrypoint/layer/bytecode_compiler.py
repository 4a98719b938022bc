"""Compile the modules of an archive to bytecode; run by an interpreter of the target's version.

This script needs only the standard library of Python 3.9, and is run as a file in isolated mode.
Arguments: a zip file of modules by their path in the layer, and the zip file to write. The bytecode is
of the kind `unchecked-hash` (PEP 552), which Python accepts regardless of the source's date; in a layer,
that is 1980-01-01.
"""

import importlib.util
import marshal
import os
import posixpath
import struct
import sys
import zipfile

UNCHECKED_HASH = 0b01
EPOCH = (1980, 1, 1, 0, 0, 0)


def compiled(source, path):
    """Return the bytes of a .pyc; SyntaxError or ValueError if the source is not valid for this Python."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    flags = struct.pack("<I", UNCHECKED_HASH)
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def cache_path(path):
    """Return the path at which the import system looks for the bytecode of a module."""
    folder, name = posixpath.split(path)
    tag = sys.implementation.cache_tag
    return posixpath.join(folder, "__pycache__", f"{name[: -len('.py')]}.{tag}.pyc")


def main(archive, output):
    """Compile all modules; skip templates and code for other versions of Python."""
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    with zipfile.ZipFile(archive) as modules, zipfile.ZipFile(output, "w") as bytecode:
        for path in sorted(modules.namelist()):
            try:
                code = compiled(modules.read(path), f"/opt/{path}")
            except (SyntaxError, ValueError):
                continue
            info = zipfile.ZipInfo(cache_path(path), EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            bytecode.writestr(info, code, compresslevel=9)


if __name__ == "__main__":
    main(*sys.argv[1:])
