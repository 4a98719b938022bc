"""The folder with what other jobs built: each target's archive comes from the artifact of its own job.

Packages compiled from source run their own code in build jobs, so a job may try to replace the archive of
another target; and a pull request may commit a folder with archives.
"""

import subprocess
from pathlib import Path

from entrypoint.errors import VerifyError
from entrypoint.manifest.targets import Target

# git would obey the configuration of a repository that an artifact or a pull request brings.
_GIT = (
    *("git", "-c", "safe.directory=*", "-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false", "ls-files", "-z", "--"),
)


def refuse_committed(folder: Path, checkout: Path) -> None:
    """Refuse a folder with files that git tracks: they come from the repository, not from a job.

    git runs in the checkout, because the folder has what other jobs put there.

    Raises:
        VerifyError: with the first such file.
    """
    command = [*_GIT, str(folder.resolve())]
    try:
        listed = subprocess.run(command, cwd=checkout, capture_output=True, check=False).stdout  # noqa: S603
    except OSError:  # no git
        return
    if name := listed.split(b"\0")[0].decode("utf-8", "replace"):
        message = f"{name} is a file of the repository, not of a build job"
        raise VerifyError.of(message, "download artifacts into a new folder outside the checkout")


def described_in(folder: Path, target: Target, *, own: bool = False) -> Path:
    """Return the description of a target's archive: the only one in the folder, in its own job's artifact.

    Artifacts are folders with the name of their target, or `lambda-layers-<target>`. A folder with the files
    of one target may have them directly, and so may our `own` folder, which `build` wrote.

    Raises:
        VerifyError: there is none, there are several, or it is in the artifact of another job.
    """
    hint = f"build it from this commit: lambda-layers build --target {target}"
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
