"""A finished archive -> what would go wrong with it in its runtime, before anybody meets it there.

Pure: it reads the facts that `inspect` found, not the bytes. A rule is a function from the archive
and the target to claims; `RULES` lists them, docs/rules.md explains each. An error keeps the layer
from being published, unless the manifest's `ignore` gives a reason why not.
"""

from collections.abc import Callable, Iterator

from entrypoint.layer.assemble import Archive
from entrypoint.layer.verify import binaries, files, packages
from entrypoint.layer.verify.findings import Claim, Finding, Severity
from entrypoint.manifest.targets import Target

RULES: dict[str, Callable[[Archive, Target], Iterator[Claim]]] = {
    "empty-layer": files.empty_layer,
    "unzipped-size": files.unzipped_size,
    "size-budget": files.size_budget,
    "file-count": files.file_count,
    "contested-path": files.contested_path,
    "case-collision": files.case_collision,
    "elf-machine": binaries.elf_machine,
    "damaged-elf": binaries.damaged_elf,
    "symbol-version": binaries.symbol_version,
    "needed-library": binaries.needed_library,
    "cpython-suffix": binaries.cpython_suffix,
    "missing-dependency": packages.missing_dependency,
    "requires-python": packages.requires_python,
    "runtime-sdk": packages.runtime_sdk,
}

__all__ = ["RULES", "Finding", "Severity", "verify"]


def verify(archive: Archive, target: Target) -> tuple[Finding, ...]:
    """Return everything that the rules find in the archive of this target, but for what it ignores."""
    return tuple(
        Finding(
            rule=rule,
            severity=claim.severity,
            target=target,
            message=claim.message,
            hint=claim.hint,
            location=target.layer.location,
        )
        for rule, check in RULES.items()
        if rule not in target.layer.ignored_rules
        for claim in check(archive, target)
    )
