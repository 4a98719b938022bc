"""The commit that a run deploys from, and whether it contains the commits of what AWS has."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from entrypoint.errors import Diagnostic
from entrypoint.git import git
from entrypoint.release.plan import LayerAction, LayerChange

_LENGTH = 12
_IS_NO_ANCESTOR = 1


def head(folder: Path) -> str | None:
    """Return the first digits of HEAD; None where there is no git or no commit."""
    try:
        answer = git(["rev-parse", "--verify", "--quiet", "HEAD"], folder)
    except OSError:
        return None
    return answer.stdout.decode().strip()[:_LENGTH] or None if answer.returncode == 0 else None


def overtaken(folder: Path, changes: Sequence[LayerChange]) -> Iterator[Diagnostic]:
    """Yield the layers whose latest version was published from a commit that HEAD does not contain.

    Then this run may replace what a newer commit deployed. Nothing is known of
    commits that a shallow checkout does not have.
    """
    for change in changes:
        latest = change.latest
        if change.action is LayerAction.KEEP or latest is None or latest.revision is None:
            continue
        try:
            answer = git(["merge-base", "--is-ancestor", latest.revision, "HEAD"], folder)
        except OSError:
            return
        if answer.returncode == _IS_NO_ANCESTOR:
            message = f"{change.layer.name}:{latest.version} was published from the commit {latest.revision}"
            message += ", which this commit does not contain"
            hint = "an older commit may be overtaking a newer one; deploy the newest commit of the branch"
            yield Diagnostic(message, hint, change.layer.targets[0].layer.location)
