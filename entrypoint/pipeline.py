"""The way through, one function per command.

    manifest -> targets -> lock -> [state of AWS: unchanged? stop here]
             -> fetch -> inspect -> lay out -> assemble -> verify -> publish -> roll out

Each stage takes frozen values and gives frozen values; only the edges touch the outside world, and they
are handed in. AWS itself is the only memory: a run that died is healed by running it again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.commands import compare as comparing
from entrypoint.commands.gather import gather
from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, VerifyError
from entrypoint.index import check_wheels as wheels
from entrypoint.layer.archives import build_archives, files_of, read_archives
from entrypoint.layer.describe import BuiltArchive
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.lock import audit as auditing
from entrypoint.lock.locks import compare_locks, locks_of, write_locks
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.release.diagnose import Diagnoses, diagnose_everywhere
from entrypoint.release.difference import Difference
from entrypoint.release.everywhere import (
    Plans,
    plan_everywhere,
    plan_rollbacks,
    prune_everywhere,
    release_everywhere,
)
from entrypoint.release.observe import Statuses, statuses_everywhere
from entrypoint.release.overview import Overview
from entrypoint.release.result import Deployment
from entrypoint.release.sizes import refuse_overweight


def lock(run: Run, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str], check: bool) -> None:
    """Pin and hash the packages of these targets; with `check`, only make sure that nothing would change."""
    lock_all = compare_locks if check else write_locks
    lock_all(run, targets, upgrade=upgrade, packages=packages)


def check_wheels(run: Run) -> None:
    """Make sure that the index has a wheel for every package of every target, without fetching any."""
    wheels.check_wheels(run, locks_of(run, run.project.targets))


def audit(run: Run) -> int:
    """Make sure that no locked package has a known vulnerability that counts; return how many there are."""
    return auditing.audit(run, locks_of(run, run.project.targets))


def build(run: Run, targets: Sequence[Target]) -> dict[Target, BuiltArchive]:
    """Build and verify the archives of these targets; return them by target."""
    return build_archives(run, locks_of(run, targets), files_of(targets))


def plan(run: Run) -> Plans:
    """Compare the manifest with AWS; nothing is changed, here or there."""
    targets = run.project.targets
    return plan_everywhere(run, locks_of(run, targets), files_of(targets))


def status(run: Run) -> Statuses:
    """Tell where AWS does not stand as the manifest asks; nothing is changed."""
    targets = run.project.targets
    return statuses_everywhere(run, locks_of(run, targets), files_of(targets))


def report(run: Run) -> Overview:
    """Gather all that is known of the layers, here and in AWS; nothing is changed."""
    return gather(run)


def diff(run: Run, before: str | None, after: str | None, load: comparing.Load) -> tuple[Difference, ...]:
    """Compare the packages of every target in AWS, or a git revision, with those of the locks or another."""
    if before is None:
        return comparing.compare_with_aws(run)
    return comparing.compare_revisions(run, before, after, load)


def explain(run: Run, plans: Plans) -> tuple[Difference, ...]:
    """Tell what a plan changes in the packages of layers that stand in AWS."""
    return comparing.explain(run, plans.plans)


def deploy(run: Run, artifacts: Path | None = None, *, explained: bool = False) -> Deployment:
    """Make AWS agree with the manifest: build what changed, publish it, update the functions.

    Where there are `artifacts`, what other jobs built is taken from that folder. To have it `explained` is to
    learn what changed in the packages.

    What could not be done is in the result; what stops everything is raised.
    """
    targets = run.project.targets
    locks, files = locks_of(run, targets), files_of(targets)
    plans = plan_everywhere(run, locks, files)
    run.console.plans(plans.plans)
    differences = explain(run, plans) if explained else ()
    changed = {t: locks[t] for p in plans.plans for change in p.to_publish for t in change.layer.targets}
    archives = (
        read_archives(run, changed, files, artifacts) if artifacts else build_archives(run, changed, files)
    )
    _refuse_too_large(run, archives)
    refuse_overweight(plans.plans, archives)
    regions = release_everywhere(run, plans, archives)
    return Deployment(regions=regions, archives=archives, differences=differences)


def rollback(run: Run, layers: Sequence[AwsLayer], version: int | None) -> Deployment:
    """Give functions the version before of these layers, or a certain one."""
    plans = plan_rollbacks(run, layers, version)
    run.console.plans(plans.plans)
    return Deployment(regions=release_everywhere(run, plans, {}))


def prune(run: Run, keep: int | None) -> Deployment:
    """Delete the layer versions that nobody needs."""
    targets = run.project.targets
    return Deployment(regions=prune_everywhere(run, locks_of(run, targets), files_of(targets), keep))


def doctor(run: Run) -> Diagnoses:
    """Look at what the manifest's functions need in AWS; nothing is changed."""
    return diagnose_everywhere(run)


def _refuse_too_large(run: Run, archives: Mapping[Target, BuiltArchive]) -> None:
    """Find archives that cannot be sent while nothing is published yet."""
    problems = []
    for target, archive in archives.items():
        if archive.compressed_size > DIRECT_UPLOAD_BYTES and run.project.manifest.bucket is None:
            size = f"{archive.compressed_size:,} bytes zipped"
            message = f"{target} has {size}; over {DIRECT_UPLOAD_BYTES:,} it has to go through S3"
            problems.append(
                Diagnostic(message, "write 's3: {bucket: ...}' in the manifest", target.layer.location)
            )
    if problems:
        raise VerifyError(*problems)
