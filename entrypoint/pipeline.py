"""The way through, one function per command.

    manifest -> targets -> lock -> [state of AWS: unchanged? stop here]
             -> fetch -> inspect -> lay out -> assemble -> verify -> publish -> roll out

Each stage takes frozen values and gives frozen values; only the edges touch the outside world, and they
are handed in. AWS itself is the only memory: a run that died is healed by running it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from entrypoint import wheels
from entrypoint.build.assemble import Archive
from entrypoint.build.dependency_hash import layer_hashes
from entrypoint.build.lock import Lock
from entrypoint.building import Files, build_archives, files_of
from entrypoint.errors import Problem, VerifyError
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.locking import locks_of, write_locks
from entrypoint.parallel import for_each
from entrypoint.release.plan import LayerAction, RegionPlan, make_plan
from entrypoint.release.publish import publish
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.rollout import roll_out
from entrypoint.release.state import read_state
from entrypoint.run import Run
from entrypoint.targets import Target


def lock(run: Run, *, upgrade: bool, packages: Sequence[str]) -> None:
    """Pin and hash the packages of every target."""
    write_locks(run, upgrade=upgrade, packages=packages)


def check_wheels(run: Run) -> None:
    """Make sure that the index has a wheel for every package of every target, without fetching any."""
    wheels.check_wheels(run, locks_of(run, run.project.targets))


def build(run: Run, targets: Sequence[Target]) -> dict[Target, Archive]:
    """Build and verify the archives of these targets; return them by target."""
    return build_archives(run, locks_of(run, targets), files_of(targets))


def plan(run: Run) -> tuple[RegionPlan, ...]:
    """Compare the manifest with AWS; nothing is changed, here or there."""
    targets = run.project.targets
    return _plan(run, locks_of(run, targets), files_of(targets))


def deploy(run: Run) -> Deployment:
    """Make AWS agree with the manifest: build what changed, publish it, update the functions.

    Functions that could not be updated are in the result; what stops everything is raised.
    """
    targets = run.project.targets
    locks, files = locks_of(run, targets), files_of(targets)
    plans = _plan(run, locks, files)
    run.console.plans(plans)
    changed = {t: locks[t] for plan in plans for change in plan.to_publish for t in change.layer.targets}
    archives = build_archives(run, changed, files)
    _refuse_too_large(run, archives)
    return Deployment(regions=tuple(_release(run, plan, archives) for plan in plans))


def _plan(run: Run, locks: Mapping[Target, Lock], files: Files) -> tuple[RegionPlan, ...]:
    project = run.project
    hashes = layer_hashes(project.layers, locks, files)
    with_functions = bool(project.manifest.functions)

    def plan_region(region: str) -> RegionPlan:
        state = read_state(run.aws(region), region, hashes, with_functions=with_functions)
        return make_plan(project.manifest, project.layers, hashes, state)

    return for_each(project.manifest.regions or (run.default_region(),), plan_region)


def _refuse_too_large(run: Run, archives: Mapping[Target, Archive]) -> None:
    """Find archives that cannot be sent while nothing is published yet."""
    problems = []
    for target, archive in archives.items():
        if archive.compressed_size > DIRECT_UPLOAD_BYTES and run.project.manifest.bucket is None:
            size = f"{archive.compressed_size:,} bytes zipped"
            message = f"{target} has {size}; over {DIRECT_UPLOAD_BYTES:,} it has to go through S3"
            problems.append(Problem(message, "write 's3: {bucket: ...}' in the manifest", target.layer.place))
    if problems:
        raise VerifyError(*problems)


def _release(run: Run, plan: RegionPlan, archives: Mapping[Target, Archive]) -> RegionResult:
    """Publish a region's layers, all of them, and only then update its functions."""
    aws = run.aws(plan.region)
    changes = []
    for change in plan.layers:
        done = change
        if change.action is LayerAction.PUBLISH:
            done = publish(aws, change, archives[change.layer.targets[0]])
            run.console.published(plan.region, done)
        changes.append(done)
    released = replace(plan, layers=tuple(changes))
    outcomes = roll_out(
        aws, released.to_update, released.versions, lambda outcome: run.console.updated(plan.region, outcome)
    )
    return RegionResult(region=plan.region, layers=released.layers, functions=outcomes)
