"""The folder with what build jobs left: for each target, its archive and the wheels that it compiled.

The job that releases assembles each archive itself, from files that the lock allows, so nothing of an
artifact is published. Its archive is compared, file by file, which shows that a build job or its artifact
was tampered with. Only wheels that were compiled from source are used, if the operator trusts the build
jobs, because no lock has their digest.

Packages compiled from source run their own code in build jobs, so a job may try to replace the files of
another target; and a pull request may commit a folder with archives. So each target's files come only from
the artifact of its own job.
"""

import hashlib
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import Diagnostic, VerifyError
from entrypoint.files import atomic_write
from entrypoint.git import tracked
from entrypoint.layer.assemble import Archive
from entrypoint.layer.describe import BuiltArchive, read_described
from entrypoint.manifest.targets import Target
from entrypoint.wheels.build_result import check_name
from entrypoint.wheels.chunks import CHUNK
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.wheel import read_members

_SHOWN = 5
"""Names in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What the build job of a target left."""

    target: Target
    #: As the job describes it; untrusted.
    archive: BuiltArchive
    #: The digest of each file in its archive, by path.
    files: Mapping[str, str]

    def compiled(self, sdist: Sdist) -> Wheel | None:
        """Return the wheel that the job compiled from this sdist; None if it compiled none.

        Raises:
            CompileError: it is a wheel of another package or platform.
            VerifyError: it does not match its description.
        """
        for package in self.archive.packages:
            if package.built_from and package.built_from.get("sha256") == sdist.sha256:
                check_name(package.origin, sdist, self.target.platform)
                folder = _compiled_folder(self.archive.path)
                path = folder / Path(package.origin).name
                is_link = folder.is_symlink() or path.is_symlink()
                if is_link or not path.is_file() or _sha256(path) != package.sha256:
                    message = f"{path} is missing, or does not match the description of its archive"
                    raise VerifyError.of(message, _build_again(self.target))
                return Wheel(
                    name=sdist.name,
                    version=sdist.version,
                    filename=path.name,
                    sha256=package.sha256,
                    path=path,
                    built_from=package.built_from,
                )
        return None


def leave_compiled(archive: Archive) -> None:
    """Copy the wheels that were compiled for an archive into a folder beside it, for a later job."""
    folder = _compiled_folder(archive.path)
    wheels = [
        part.contents.wheel for part in archive.parts if part.contents and part.contents.wheel.built_from
    ]
    if not wheels or wheels[0].path.parent != folder:
        shutil.rmtree(folder, ignore_errors=True)
        for wheel in wheels:
            with wheel.path.open("rb") as source, atomic_write(folder / wheel.filename) as out:
                shutil.copyfileobj(source, out)


def read_artifact(folder: Path, target: Target, dependency_hash: str, *, own: bool) -> Artifact:
    """Return what the build job of a target left in the folder; see `described_in`.

    Raises:
        VerifyError: it is missing, damaged, another job's, or of other inputs.
        ArchiveError: its archive cannot be read.
    """
    archive = read_described(described_in(folder, target, own=own), target, dependency_hash)
    return Artifact(target=target, archive=archive, files=_file_digests(archive.path))


def difference(archive: Archive, artifact: Artifact) -> tuple[bool, Diagnostic | None]:
    """Compare the archive that was assembled here with that of the build job.

    Bytecode and the files of compiled packages may differ. The first value is whether anything differs, the
    second describes other differences.
    """
    if archive.sha256.hex() == artifact.archive.sha256:
        return False, None
    built_here = {
        entry.path
        for part in archive.parts
        if part.contents and part.contents.wheel.built_from
        for entry in part.entries
    }
    different = _different(_file_digests(archive.path), artifact.files, built_here)
    if not different:
        return True, None
    names = ", ".join(different[:_SHOWN]) + (", ..." if len(different) > _SHOWN else "")
    message = (
        f"the archive of {artifact.target} from its build job has other files than the lock gives: {names}"
    )
    hint = "find out what changed them: the job's version of lambda-layers, its packages, or its artifact"
    return True, Diagnostic(message, hint)


def _different(ours: Mapping[str, str], theirs: Mapping[str, str], derived: Collection[str]) -> list[str]:
    paths = sorted(ours.keys() | theirs.keys())
    return [
        path
        for path in paths
        if ours.get(path) != theirs.get(path) and path not in derived and not path.endswith(".pyc")
    ]


def _file_digests(archive: Path) -> dict[str, str]:
    """Return a digest of each file's compressed bytes, method and mode, by path."""
    digests = {}
    with archive.open("rb") as file:
        for member in read_members(archive, links=True):
            digest = hashlib.sha256(f"{member.method} {member.executable} {member.size}\0".encode())
            file.seek(member.offset)
            left = member.compressed_size
            while left and (data := file.read(min(left, CHUNK))):
                digest.update(data)
                left -= len(data)
            digests[member.path] = digest.hexdigest()
    return digests


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compiled_folder(archive: Path) -> Path:
    return archive.with_suffix(".wheels")


def _build_again(target: Target) -> str:
    return f"build it from this commit: lambda-layers build --target {target}"


def refuse_committed(folder: Path, checkout: Path) -> None:
    """Refuse a folder with files that git tracks: they come from the repository, not from a job.

    Raises:
        VerifyError: with the first such file.
    """
    if name := tracked(folder, checkout):
        message = f"{name} is a file of the repository, not of a build job"
        raise VerifyError.of(message, "download artifacts into a new folder outside the checkout")


def described_in(folder: Path, target: Target, *, own: bool = False) -> Path:
    """Return the description of a target's archive: the only one in the folder, in its own job's artifact.

    Artifacts are folders with the name of their target, or `lambda-layers-<target>`. A folder with the files
    of one target may have them directly, and so may our `own` folder, which `build` wrote.

    Raises:
        VerifyError: there is none, there are several, or it is in the artifact of another job.
    """
    hint = _build_again(target)
    found = sorted(folder.rglob(f"{target}.json"))
    if not found:
        raise VerifyError.of(f"no archive of {target} found in {folder}", hint)
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise VerifyError.of(f"several archives of {target} found: {names}", "remove all but that of its job")
    (path,) = found
    artifact = path.relative_to(folder).parts[0]
    is_alone = path.parent == folder and (own or len(list(folder.rglob("*.zip"))) == 1)
    if not is_alone and artifact not in {str(target), f"lambda-layers-{target}"}:
        apart = f"download each artifact into a folder of its own, such as {folder}/lambda-layers-{target}"
        raise VerifyError.of(f"{path} is not in an artifact of {target}", apart)
    if path.is_symlink() or path.with_suffix(".zip").is_symlink():
        raise VerifyError.of(f"{path} or its archive is a link", hint)
    return path
