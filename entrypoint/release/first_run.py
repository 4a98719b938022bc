"""What a first run says when the manifest has no functions yet: `init` leaves them commented out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from entrypoint.errors import Diagnostic, Location
from entrypoint.manifest.project import Project
from entrypoint.release.findings import named
from entrypoint.release.plan import RegionPlan
from entrypoint.release.reading import Reading

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


def suggest_functions(aws: "Aws", project: Project, plan: RegionPlan) -> Iterator[Diagnostic]:
    """Yield the functions that could have the layers, where no version of a layer is published yet.

    Nothing is read where other tools attach the layers (`export`), and at later runs.
    """
    manifest = project.manifest
    is_first = not any(change.latest for change in plan.layers)
    if manifest.functions or manifest.export or aws.is_local or not is_first:
        return
    platforms = {
        (str(target.platform.runtime), str(target.platform.architecture)) for target in project.targets
    }
    functions = Reading()(lambda: tuple(aws.functions.all())) or ()
    fitting = sorted(
        each.name
        for each in functions
        if (each.runtime, each.architecture) in platforms and each.package_type == "Zip"
    )
    some = f", such as {named(tuple(fitting))} of this account" if fitting else ""
    message = "the manifest has no 'functions': layers are published, and no function gets them"
    hint = f"list the functions that should have them{some}; or ignore this if another tool attaches them"
    yield Diagnostic(message, hint, Location(manifest.path.name))
