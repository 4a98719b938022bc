"""The way through, one function per command.

    manifest -> targets -> lock -> [state of AWS: unchanged? stop here]
             -> fetch -> inspect -> assemble -> verify -> publish -> roll out

Each stage takes frozen values and gives frozen values; only `edges` touch the outside world, and they
are handed in. AWS itself is the only memory: a run that died is healed by running it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from entrypoint.build.assemble import Archive, assemble
from entrypoint.build.candidates import Index
from entrypoint.build.dependency_hash import dependency_hash, layer_hashes
from entrypoint.build.describe import write_description
from entrypoint.build.fetch import Wheel, fetch
from entrypoint.build.inspect import Contents, inspect
from entrypoint.build.layout import lay_out
from entrypoint.build.lock import Lock, write_lock
from entrypoint.build.requirement_options import IndexOptions
from entrypoint.build.requirements import read_requirements, shown
from entrypoint.build.resolve import Compile, resolve
from entrypoint.build.verify import Severity, verify
from entrypoint.errors import LayersError, LockError, Problem, VerifyError
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.project import Project
from entrypoint.release.aws_lambda import ChangesLambda
from entrypoint.release.plan import LayerAction, RegionPlan, make_plan
from entrypoint.release.publish import publish
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.rollout import roll_out
from entrypoint.release.state import read_state
from entrypoint.report.console import Console
from entrypoint.targets import AwsLayer, Target

_AT_ONCE = 4
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The outside world, as the commands need it."""

    index: Callable[[IndexOptions], Index]
    compile: Compile
    aws: Callable[[str], ChangesLambda]
    default_region: Callable[[], str]
    #: Where wheels, and what was found out about them, are kept.
    cache: Path
    #: Refuse to resolve: every target needs a lock that is in step.
    locked: bool = False


def lock(project: Project, edges: Edges, console: Console, *, upgrade: bool, packages: Sequence[str]) -> None:
    """Write the lock of every target that has none of the user's own, several at once."""

    def relock(target: Target) -> None:
        path = project.lock_path(target)
        locked = _resolve(project, edges, target, existing=path, upgrade=upgrade, packages=packages)
        files = target.layer.requirements.files or (project.manifest.path,)
        write_lock(path, locked, made_from=[shown(file, project.folder) for file in files])
        console.say(f"locked {target}: {len(locked.pins)} packages in {shown(path, project.root)}")

    ours = {project.lock_path(t): t for t in project.targets if t.platform not in t.layer.own_locks}
    _for_each(tuple(ours.values()), relock)


def build(
    project: Project, edges: Edges, console: Console, targets: Sequence[Target]
) -> dict[Target, Archive]:
    """Build and verify the archives of these targets; return them by target.

    Raises:
        LayersError: of the first stage that fails, with the problems of all targets.
    """
    locks = _locks(project, edges, console, targets)
    return _build(project, edges, console, locks)


def plan(project: Project, edges: Edges, console: Console) -> tuple[RegionPlan, ...]:
    """Compare the manifest with AWS; nothing is changed, here or there."""
    return _plan(project, edges, _locks(project, edges, console, project.targets))


def deploy(project: Project, edges: Edges, console: Console) -> Deployment:
    """Make AWS agree with the manifest: build what changed, publish it, update the functions.

    Functions that could not be updated are in the result; what stops everything is raised.
    """
    locks = _locks(project, edges, console, project.targets)
    plans = _plan(project, edges, locks)
    console.plans(plans)
    changed = {t: locks[t] for plan in plans for change in plan.to_publish for t in change.layer.targets}
    archives = _build(project, edges, console, changed)
    _refuse_too_large(project, archives)
    return Deployment(regions=tuple(_release(plan, edges, console, archives) for plan in plans))


def _locks(project: Project, edges: Edges, console: Console, targets: Sequence[Target]) -> dict[Target, Lock]:
    """Return the lock of each target: the user's own, ours, or one that is resolved afresh."""

    def lock_of(target: Target) -> Lock:
        standing = project.standing_lock(target)
        if standing is not None:
            return standing
        if edges.locked:
            message = f"the layer {target.layer.name!r} has no lock for {target.platform}"
            remedy = "run: lambda-layers lock, and commit what it writes"
            raise LockError.of(message, remedy, target.layer.place)
        console.say(f"{target} has no lock, so it is resolved afresh; pin it with: lambda-layers lock")
        return _resolve(project, edges, target)

    return dict(zip(targets, _for_each(targets, lock_of), strict=True))


def _resolve(
    project: Project,
    edges: Edges,
    target: Target,
    *,
    existing: Path | None = None,
    upgrade: bool = False,
    packages: Sequence[str] = (),
) -> Lock:
    requirements = target.layer.requirements
    return resolve(
        requirements,
        target.platform,
        existing=existing,
        upgrade=upgrade,
        upgrade_packages=tuple(packages),
        compile=edges.compile,
        index=edges.index(read_requirements(requirements, root=project.root).options),
        root=project.root,
        folder=project.folder,
    )


def _plan(project: Project, edges: Edges, locks: Mapping[Target, Lock]) -> tuple[RegionPlan, ...]:
    hashes = layer_hashes(project.layers, locks)
    regions = project.manifest.regions or (edges.default_region(),)

    def plan_region(region: str) -> RegionPlan:
        functions = bool(project.manifest.functions)
        state = read_state(edges.aws(region), region, hashes, with_functions=functions)
        return make_plan(project.manifest, project.layers, hashes, state)

    return _for_each(regions, plan_region)


def _build(
    project: Project, edges: Edges, console: Console, locks: Mapping[Target, Lock]
) -> dict[Target, Archive]:
    wheels: dict[Target, tuple[Wheel, ...]] = {}
    for target, locked in locks.items():
        with console.downloads(str(target)) as progress:
            wheels[target] = fetch(
                locked,
                target.platform,
                index=edges.index(locked.options),
                cache=edges.cache,
                progress=progress,
            )
    contents = _inspect({wheel.sha256: wheel for found in wheels.values() for wheel in found}, edges.cache)

    folder = project.by_products() / "build"

    def build_target(target: Target) -> Archive:
        runtime = target.platform.runtime
        parts = [lay_out(contents[wheel.sha256], runtime) for wheel in wheels[target]]
        return assemble(sorted(parts, key=lambda part: part.name), folder / f"{target}.zip")

    archives = dict(zip(locks, _for_each(tuple(locks), build_target), strict=True))
    _verify(archives, console)
    _same_bytes(project.layers, archives)
    for target, archive in archives.items():
        write_description(archive, target, dependency_hash(locks[target]))
        console.built(target, archive)
    return archives


def _inspect(wheels: Mapping[str, Wheel], cache: Path) -> dict[str, Contents]:
    found = _for_each(tuple(wheels.values()), lambda wheel: inspect(wheel, cache))
    return dict(zip(wheels, found, strict=True))


def _verify(archives: Mapping[Target, Archive], console: Console) -> None:
    findings = [finding for target, archive in archives.items() for finding in verify(archive, target)]
    console.warn(finding.problem for finding in findings if finding.severity is Severity.WARNING)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    for target in {finding.target for finding in errors}:
        archives[target].path.unlink(missing_ok=True)
    if errors:
        raise VerifyError(*(finding.problem for finding in errors))


def _same_bytes(layers: Iterable[AwsLayer], archives: Mapping[Target, Archive]) -> None:
    """Refuse targets that share a layer's name in AWS and not the bytes."""
    problems = []
    for layer in layers:
        built = {target: archives[target] for target in layer.targets if target in archives}
        if len({archive.sha256 for archive in built.values()}) > 1:
            sets = [{part.origin for part in archive.parts} for archive in built.values()]
            different = sorted(
                name for name in set[str]().union(*sets) if not all(name in part for part in sets)
            )
            names = ", ".join(map(str, built))
            message = f"{names} share the name {layer.name} and differ in {', '.join(different)}"
            remedy = "put {runtime} and {architecture} into the layer's 'name'"
            problems.append(Problem(message, remedy, layer.targets[0].layer.place))
    if problems:
        raise VerifyError(*problems)


def _refuse_too_large(project: Project, archives: Mapping[Target, Archive]) -> None:
    """Find archives that cannot be sent while nothing is published yet."""
    problems = []
    for target, archive in archives.items():
        if archive.compressed_size > DIRECT_UPLOAD_BYTES and project.manifest.bucket is None:
            size = f"{archive.compressed_size:,} bytes zipped"
            message = f"{target} has {size}; over {DIRECT_UPLOAD_BYTES:,} it has to go through S3"
            problems.append(Problem(message, "write 's3: {bucket: ...}' in the manifest", target.layer.place))
    if problems:
        raise VerifyError(*problems)


def _release(
    plan: RegionPlan, edges: Edges, console: Console, archives: Mapping[Target, Archive]
) -> RegionResult:
    aws = edges.aws(plan.region)
    changes = []
    for change in plan.layers:
        done = change
        if change.action is LayerAction.PUBLISH:
            done = publish(aws, change, archives[change.layer.targets[0]])
            console.published(plan.region, done)
        changes.append(done)
    released = replace(plan, layers=tuple(changes))
    outcomes = roll_out(
        aws, released.to_update, released.versions, lambda outcome: console.updated(plan.region, outcome)
    )
    return RegionResult(region=plan.region, layers=released.layers, functions=outcomes)


def _for_each(items: Sequence[_Item], work: Callable[[_Item], _Result]) -> tuple[_Result, ...]:
    """Do independent work at once; where several fail, one error tells all their problems."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        futures = [pool.submit(work, item) for item in items]
        errors = [error for future in futures if isinstance(error := future.exception(), LayersError)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C nobody waits for a stalled network
    if errors:
        alike = [error for error in errors if type(error) is type(errors[0])]
        raise type(errors[0])(*dict.fromkeys(problem for error in alike for problem in error.problems))
    return tuple(future.result() for future in futures)
