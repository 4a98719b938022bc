"""The whole way, one function for each main command.

    manifest -> targets -> locks -> [state of AWS: unchanged? stop here]
             -> wheels -> layer archives, verified -> publish -> roll out

Each room has one stage object that holds what it needs of the outside world (`lock.stage.Locks`,
`wheels.stage.Wheels`, `layer.stage.Archives`, `release.stage.Release`). Frozen values travel between them.
AWS is the only memory: a run that died is completed by running it again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entrypoint.aws.accounts import Accounts, Results
from entrypoint.errors import (
    AwsError,
    CompileError,
    Diagnostic,
    LayersError,
    Location,
    LockError,
    VerifyError,
)
from entrypoint.figures import count
from entrypoint.files import write_text
from entrypoint.layer.artifacts import Artifact
from entrypoint.layer.assemble import Archive
from entrypoint.layer.dependency_hash import layer_hashes
from entrypoint.layer.describe import BuiltArchive
from entrypoint.layer.stage import Archives, Files, files_of
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.stage import Locks
from entrypoint.manifest.layer_pins import (
    open_versions,
    pin_problems,
    pins_of_any_region,
    pins_path,
    pins_text,
    refuse_unpinned,
)
from entrypoint.manifest.model import AT_ONCE, Rollout
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.release.comparison import Comparison
from entrypoint.release.difference import Difference
from entrypoint.release.earlier import Earlier
from entrypoint.release.findings import Diagnosis
from entrypoint.release.gather import Gathering
from entrypoint.release.history import History
from entrypoint.release.layer_versions import pin_layers
from entrypoint.release.overview import Overview
from entrypoint.release.plan import RegionPlan
from entrypoint.release.promotion import Promotion
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.sizes import refuse_overweight
from entrypoint.release.stage import Hashes, Release
from entrypoint.release.status import RegionStatus
from entrypoint.report.console import Console
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.stage import Wheels

Plans = Results[RegionPlan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A project and the stages that it goes through."""

    project: Project
    console: Console
    locks: Locks
    wheels: Wheels
    archives: Archives
    accounts: Accounts
    #: Takes archives from another deployment; None where they are built.
    promotion: Promotion | None = None

    def lock(self, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str], check: bool) -> None:
        """Pin and hash the packages of these targets; with `check`, only make sure nothing would change."""
        act = self.locks.compare if check else self.locks.write
        act(targets, upgrade=upgrade, packages=packages)

    def pin_layers(self, *, upgrade: bool, check: bool) -> None:
        """Pin the versions of other accounts' layers; with `check`, only make sure nothing would change.

        Asks AWS only for versions that are missing, or to upgrade them.

        Raises:
            LockError: with `check`, the file would change.
        """
        manifest = self.project.manifest
        layers, path = open_versions(manifest), pins_path(manifest.path)
        if not layers:
            return
        if check and not upgrade:
            refuse_unpinned(manifest)
            return
        try:
            newest = pin_layers(self.accounts, layers, manifest.layer_pins, upgrade=upgrade)
        except AwsError as error:
            if check or tuple(pin_problems(manifest)):
                raise
            kept = f"the versions of other accounts' layers are not upgraded: {error.problems[0].message}"
            self.console.warn([Diagnostic(kept, error.problems[0].hint)])
            return
        pins = pins_of_any_region(manifest) | newest
        if check and pins != manifest.layer_pins:
            message = f"{path.name} has no longer the newest versions"
            raise LockError.of(message, "run: lambda-layers lock --upgrade", Location(path.name))
        if not check:
            write_text(path, pins_text(pins))
            self.console.say(f"locked {count(len(pins), 'layer version')} of other accounts in {path.name}")

    def check_wheels(self) -> None:
        """Make sure that the index has a wheel for every package of every target; downloads nothing."""
        self.wheels.check_available(self.locks.of(self.project.targets))

    def build(self, targets: Sequence[Target]) -> dict[Target, BuiltArchive]:
        """Build and verify the archives of these targets."""
        return self._build(self.locks.of(targets), files_of(targets), {})

    def plan(self) -> Plans:
        """Compare the manifest with AWS; changes nothing."""
        return self._plan(*self._inputs())

    def status(self) -> Results[RegionStatus]:
        """Find where AWS differs from the manifest; changes nothing."""
        return self._release.status(self._hashes(*self._inputs()))

    def doctor(self) -> Results[Diagnosis]:
        """Examine what the manifest's functions need in AWS; changes nothing."""
        return self._release.doctor()

    def overview(self) -> Overview:
        """Read everything that the report shows, here and in AWS; changes nothing."""
        return Gathering(
            project=self.project, accounts=self.accounts, release=self._release, inputs=self._inputs
        ).overview()

    def explain(self, plans: Plans) -> tuple[Difference, ...]:
        """Compare the packages of layers to be published with the latest versions in AWS."""
        newer = {
            change.layer.name: change.layer
            for plan in plans.values
            for change in plan.to_publish
            if change.latest
        }
        try:
            return self.comparison.with_aws(newer.values()) if newer else ()
        except LayersError as error:
            self.console.say(f"package changes are not shown: {error}")
            return ()

    def deploy(
        self, *, artifacts: Path | None, trusted: bool, explained: bool, reviewed: Callable[[Plans], None]
    ) -> Deployment:
        """Make AWS match the manifest: build or download what changed, publish it, update the functions.

        With `artifacts`, archives are compared with those that other jobs left in that folder; if these jobs
        are `trusted`, the wheels that they compiled are used. With `explained`, the result has the package
        changes. `reviewed` is called with the plan before anything is done.

        Raises:
            LayersError: nothing was changed in AWS; what failed later is in the result.
        """
        locks, files = self._inputs()
        plans = self._plan(locks, files)
        reviewed(plans)
        differences = self.explain(plans) if explained else ()
        if self.promotion:
            archives = self.promotion.archives(plans.values)
        else:
            changed = {
                target: locks[target]
                for plan in plans.values
                for change in plan.to_publish
                for target in change.layer.targets
            }
            jobs = self.archives.artifacts(changed, files, artifacts) if artifacts else {}
            archives = self._build(changed, files, jobs, trusted=trusted)
        self._refuse_too_large(archives)
        refuse_overweight(plans.values, archives)
        return self._carry_out(plans, archives, differences)

    def plan_version(self, layer: AwsLayer, number: int) -> Plans:
        """Compare functions with a version of a layer; changes nothing."""
        return self._earlier.plan_version(layer, number)

    def plan_revision(self, history: History, revision: str | None, layers: Sequence[AwsLayer]) -> Plans:
        """Compare AWS with what a git revision asks for; changes nothing.

        The default is the revision before the newest one that functions use. Only these layers count, if
        any are given.
        """
        only = frozenset(layer.name for layer in layers)
        if revision is not None:
            found = history.revision(revision)
        else:
            found, skipped = self._earlier.previous(history, only)
            for commit in skipped:
                self.console.say(f"skipped {commit}: AWS does not have all of its layer versions")
        self.console.say(f"rolling back to {found.commit}")
        return self._earlier.plan_revision(found, only)

    def roll_back(self, plans: Plans, *, now: bool) -> Deployment:
        """Give functions the earlier layer versions; with `now`, all at once and without checks."""
        # CodeDeploy may be shifting aliases that have to go back.
        at_once = AT_ONCE._replace(shift=self.project.manifest.rollout.shift)
        return self._carry_out(plans, {}, rollout=at_once if now else None, going_back=True)

    def prune(self, keep: int | None, *, dry_run: bool, alarms: bool) -> Results[RegionResult]:
        """Delete the layer versions, and with `alarms` the alarms, that nothing needs, or only find them."""
        return self._release.prune(self._hashes(*self._inputs()), keep, dry_run=dry_run, alarms=alarms)

    @property
    def comparison(self) -> Comparison:
        """What compares the packages of two states of the project."""
        return Comparison(
            project=self.project, accounts=self.accounts, index=self.wheels.index, say=self.console.say
        )

    @property
    def _release(self) -> Release:
        return Release(project=self.project, accounts=self.accounts, say=self.console.say)

    @property
    def _earlier(self) -> Earlier:
        return Earlier(project=self.project, accounts=self.accounts)

    def _plan(self, locks: Mapping[Target, Lock], files: Files) -> Plans:
        plans = self._release.plan(self._hashes(locks, files))
        return replace(plans, values=self.promotion.of(plans.values)) if self.promotion else plans

    def _inputs(self) -> tuple[dict[Target, Lock], Files]:
        refuse_unpinned(self.project.manifest)
        targets = self.project.targets
        return self.locks.of(targets), files_of(targets)

    def _hashes(self, locks: Mapping[Target, Lock], files: Files) -> Hashes:
        return layer_hashes(self.project.layers, locks, files)

    def _build(
        self,
        locks: Mapping[Target, Lock],
        files: Files,
        artifacts: Mapping[Target, Artifact],
        *,
        trusted: bool = False,
    ) -> dict[Target, BuiltArchive]:
        def compiled(target: Target, sdist: Sdist) -> Wheel | None:
            return artifacts[target].compiled(sdist) if trusted else None

        def finished(target: Target, archive: Archive, built: BuiltArchive) -> None:
            from entrypoint.report.sbom import sbom  # noqa: PLC0415 - most runs have nothing to build

            write_text(archive.path.with_suffix(".cdx.json"), sbom(archive, target))
            self.console.built(target, built)

        try:
            wheels = self.wheels.of(locks, compiled)
        except CompileError as error:
            if trusted or not artifacts:
                raise
            more = "or use the wheels that its build job compiled: --trust build-jobs"
            raise CompileError(
                *(each._replace(hint=f"{each.hint}; {more}") for each in error.problems)
            ) from None
        libraries = self.wheels.libraries(locks)
        return self.archives.build(
            locks, wheels, files, libraries=libraries, artifacts=artifacts, finished=finished
        )

    def _carry_out(
        self,
        plans: Plans,
        archives: Mapping[Target, BuiltArchive],
        differences: tuple[Difference, ...] = (),
        *,
        rollout: Rollout | None = None,
        going_back: bool = False,
    ) -> Deployment:
        with self.console.releasing(plans.values):
            done = self._release.carry_out(
                plans.values, archives, self.console.changed, rollout=rollout, going_back=going_back
            )
        return Deployment(
            regions=done.values,
            failures=(*plans.failures, *done.failures),
            archives=archives,
            differences=differences,
        )

    def _refuse_too_large(self, archives: Mapping[Target, BuiltArchive]) -> None:
        """Refuse archives that AWS would not accept, before anything is published."""
        problems = []
        for target, archive in archives.items():
            if archive.compressed_size > DIRECT_UPLOAD_BYTES and self.project.manifest.bucket is None:
                message = (
                    f"{target} has {archive.compressed_size:,} bytes zipped; "
                    f"more than {DIRECT_UPLOAD_BYTES:,} have to go through S3"
                )
                hint = "add 's3: {bucket: ...}' to the manifest"
                problems.append(Diagnostic(message, hint, target.layer.location))
        if problems:
            raise VerifyError(*problems)
