"""Copies the running Python into a folder, reduced to what compiles modules to bytecode.

Everything keeps its path, by which an interpreter finds its own library, and /usr/local/bin gets a link.
Run in a runtime's image, beside `entrypoint`, of which it takes what needs nothing but the standard library.
"""

import shutil
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from entrypoint.layer import bytecode_compiler  # noqa: E402
from entrypoint.layer.symbols import write_without_symbols  # noqa: E402


def main(destination: str) -> None:
    """Copy what is needed of this interpreter below `destination`, and make the link."""
    for path in {path.resolve() for path in needed() if path.is_file()}:
        if HERE not in path.parents:
            copy(path, Path(destination + str(path)))
    link = Path(destination, "usr/local/bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path(sys.executable).resolve())


def needed() -> Iterator[Path]:
    """Yield the interpreter's files that exist; sources may be in any encoding."""
    yield Path(sys.executable)
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        yield Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    yield from loaded_by_compiling()
    library = Path(sysconfig.get_path("stdlib"))
    yield from library.glob("encodings/*.py")
    yield from library.glob("lib-dynload/_codecs_*")
    yield from library.glob("lib-dynload/_multibytecodec*")


def loaded_by_compiling() -> Iterator[Path]:
    """Compile a module, and yield the files of all modules loaded by then, with their bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        modules = Path(folder, "modules.zip")
        with zipfile.ZipFile(modules, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("module.py", "# coding: latin-1\nanswer = 42\n")
        bytecode_compiler.main(modules, Path(folder, "bytecode.zip"))
    for module in list(sys.modules.values()):
        for name in ("__file__", "__cached__"):
            if path := getattr(module, name, None):
                yield Path(path)


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode and date, and without debug symbols, which are most of some libraries."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if source.suffix in {".py", ".pyc"}:
        return
    with source.open("rb") as whole, tempfile.TemporaryFile() as smaller:
        try:
            is_smaller = write_without_symbols(whole, smaller)
        except ValueError:
            return
        if is_smaller:
            smaller.seek(0)
            with target.open("wb") as file:
                shutil.copyfileobj(smaller, file)


if __name__ == "__main__":
    main(sys.argv[1])
