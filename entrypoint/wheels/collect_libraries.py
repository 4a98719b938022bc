"""Collect the shared libraries of installed system packages. This script runs in the builder.

In: the current folder with `job.json`, which has the names of packages and the sonames that the runtime
provides. Out: `out/` with copies of the libraries, of what they are linked to, and of their licenses, named
by numbers; `index.json` says which is which. Libraries are those in the cache of the dynamic loader, and
what they are linked to is what the loader itself finds.

It needs only the standard library, and must run on the oldest runtime's Python.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_CACHED = re.compile(r"\s+(\S+) \(libc6,(?:x86-64|AArch64)(?:, OS ABI: [^)]*)?\) => (/\S+)")
_LINKED = re.compile(r"\s+(\S+) => (/\S+) \(0x[0-9a-f]+\)")
_LICENSE = re.compile(
    r"/usr/share/licenses/.+|/usr/share/doc/.*/(?:COPYING|COPYRIGHT|LICEN[CS]E|NOTICE)[^/]*"
)
_RPM = ("rpm", "-q", "--qf")
_RPM_FORMAT = r"%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{LICENSE}\n"


def main() -> None:
    """Run the job."""
    job = json.loads(Path("job.json").read_text("utf-8"))
    os.umask(0o022)
    os.environ.update(job["environment"])
    manager = _Rpm() if any(map(shutil.which, ("dnf", "microdnf", "yum"))) else _Dpkg()
    for tool in (manager.tool, "ldd"):
        if not shutil.which(tool):
            sys.exit(f"the image has no {tool}")
    packages = _Packages(manager, frozenset(job["provided"]))
    for name in job["names"]:
        packages.add(name)
    packages.write(Path("out"))


class _Rpm:
    """The database of RPM, which dnf, microdnf and yum install into."""

    kind = "rpm"
    tool = "rpm"

    def describe(self, name: str) -> "list[str]":
        """Return name, version and license of a package, by its name or by one that it provides."""
        found = _lines(*_RPM, _RPM_FORMAT, name) or _lines(*_RPM, _RPM_FORMAT, "--whatprovides", name)
        return found[-1].split("\t") if found else []

    def owner(self, path: str) -> "list[str]":
        found = _lines(*_RPM, "%{NAME}\n", "-f", path)
        return self.describe(found[0]) if found else []

    def files(self, name: str) -> "list[str]":
        return _lines("rpm", "-ql", name)

    def licenses(self, name: str) -> "list[str]":
        return [path for path in self.files(name) if _LICENSE.fullmatch(path)]


class _Dpkg:
    """The database of dpkg, which apt-get installs into."""

    kind = "deb"
    tool = "dpkg-query"

    def describe(self, name: str) -> "list[str]":
        """Return name, version and license of a package; dpkg does not know the license."""
        found = _lines("dpkg-query", "-W", "-f", r"${Package}\t${Version}\t${db:Status-Status}\n", name)
        installed = [line.split("\t")[:2] for line in found if line.endswith("\tinstalled")]
        return [*installed[0], ""] if installed else []

    def owner(self, path: str) -> "list[str]":
        for known in (path, path.replace("/usr", "", 1)):  # paths of before /lib became a link
            found = [line for line in _lines("dpkg-query", "-S", known) if not line.startswith("diversion ")]
            if found:
                return self.describe(found[0].split(":")[0])
        return []

    def files(self, name: str) -> "list[str]":
        return _lines("dpkg-query", "-L", name)

    def licenses(self, name: str) -> "list[str]":
        return [f"/usr/share/doc/{name}/copyright"]


class _Packages:
    """The packages found, each with its libraries by soname."""

    def __init__(self, manager: "_Rpm | _Dpkg", provided: "frozenset[str]") -> None:
        self.manager = manager
        self.cached = libraries_in_cache(_ldconfig())
        c_library = self._owner(self.cached.get("libc.so.6", ""))
        self.provided = provided
        self.not_taken = c_library[0] if c_library else None
        self.found: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()

    def add(self, name: str) -> None:
        """Add a package with what its libraries are linked to."""
        described = self.manager.describe(name)
        if not described:
            sys.exit(f"no package has the name {name}")
        files = set(map(os.path.realpath, self.manager.files(described[0])))
        own = [(soname, path) for soname, path in self.cached.items() if os.path.realpath(path) in files]
        if not own:
            sys.exit(f"{described[0]} has no shared library in the folders of the loader")
        self._package(described)["names"].append(name)
        for soname, path in own:
            self._add_library(soname, path)
            for linked, where in linked_libraries(_lines("ldd", path)).items():
                self._add_library(linked, where)

    def write(self, out: Path) -> None:
        """Copy the files, and write the index."""
        out.mkdir()
        numbers = iter(range(sys.maxsize))

        def copied(path: str) -> str:
            number = str(next(numbers))
            shutil.copyfile(path, out / number)
            return number

        for name, package in sorted(self.found.items()):
            libraries = sorted(package["libraries"].items())
            package["libraries"] = {soname: copied(path) for soname, path in libraries}
            licenses = sorted(path for path in map(Path, self.manager.licenses(name)) if path.is_file())
            package["licenses"] = [[path.name, copied(str(path))] for path in licenses]
        index = {"system": f"{self.manager.kind}/{_system()}", "packages": list(self.found.values())}
        (out / "index.json").write_text(json.dumps(index), "utf-8")

    def _add_library(self, soname: str, path: str) -> None:
        if soname in self.provided or soname in self.seen:
            return
        self.seen.add(soname)
        described = self._owner(path)
        if described and described[0] != self.not_taken:
            self._package(described)["libraries"][soname] = os.path.realpath(path)

    def _owner(self, path: str) -> "list[str]":
        return self.manager.owner(os.path.realpath(path)) or self.manager.owner(path) if path else []

    def _package(self, described: "list[str]") -> "dict[str, Any]":
        name, version, license_ = described
        fresh = {"name": name, "version": version, "license": license_, "names": [], "libraries": {}}
        return self.found.setdefault(name, fresh)


def libraries_in_cache(lines: "list[str]") -> "dict[str, str]":
    """Return the path of each soname that `ldconfig -p` lists: the first one, which every machine can use."""
    found: dict[str, str] = {}
    for match in filter(None, map(_CACHED.match, lines)):
        found.setdefault(match[1], match[2])
    return found


def linked_libraries(lines: "list[str]") -> "dict[str, str]":
    """Return the path of each library that `ldd` lists and finds, by soname."""
    return {match[1]: match[2] for match in filter(None, map(_LINKED.match, lines))}


def _ldconfig() -> "list[str]":
    """Return the cache of the dynamic loader; ldconfig is not on every user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/sbin", "/usr/sbin"])
    ldconfig = shutil.which("ldconfig", path=path)
    return _lines(ldconfig, "-p") if ldconfig else []


def _system() -> str:
    """Return the ID of the distribution: https://www.freedesktop.org/software/systemd/man/os-release.html."""
    for line in Path("/etc/os-release").read_text("utf-8").splitlines():
        if line.startswith("ID="):
            return line[3:].strip("\"'")
    return ""


def _lines(*command: str) -> "list[str]":
    """Return what a command prints; nothing if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    return result.stdout.decode("utf-8", "replace").splitlines() if result.returncode == 0 else []


if __name__ == "__main__":
    main()
