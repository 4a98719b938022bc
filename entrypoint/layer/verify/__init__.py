"""Rules that find, in a finished archive, what would fail in its runtime.

Rules use the facts that `inspect` found and do not read files. `RULES` lists them in the order of
docs/rules.md. An error keeps the layer from being published, unless the manifest names the rule under
`ignore`, with a reason.
"""

from entrypoint.errors import Diagnostic, Severity
from entrypoint.layer.assemble import Archive
from entrypoint.layer.verify import binaries, files, packages, programs, standard_library
from entrypoint.layer.verify.imports import IMPORT_SUMMARY
from entrypoint.layer.verify.imports import RULE as IMPORT
from entrypoint.layer.verify.rule import Rule
from entrypoint.manifest.targets import Target

RULES = (
    Rule("empty-layer", "The layer contains nothing that can be imported.", files.empty_layer),
    Rule("unzipped-size", "The layer is larger than Lambda allows.", files.unzipped_size),
    Rule("size-budget", "The layer is larger than its size_budget in the manifest.", files.size_budget),
    Rule("file-count", "The layer has so many files that unpacking it takes long.", files.file_count),
    Rule(
        "contested-path", "Several packages contain different files with the same path.", files.contested_path
    ),
    Rule("case-collision", "Two paths differ only in case.", files.case_collision),
    Rule("bootstrap", "The bootstrap of a custom runtime cannot be started.", programs.bootstrap),
    Rule("extension", "A file in extensions/ cannot be started.", programs.extension),
    Rule("line-ends", "A script in bin/ has Windows line ends.", programs.line_ends),
    Rule("elf-machine", "Compiled code is built for another architecture.", binaries.elf_machine),
    Rule("foreign-binary", "A library or program is built for macOS or Windows.", binaries.foreign_binary),
    Rule(
        "foreign-module",
        "An extension module is for another system, and there is none for Linux.",
        binaries.foreign_module,
    ),
    Rule("damaged-elf", "An ELF file is damaged.", binaries.damaged_elf),
    Rule(
        "symbol-version",
        "Compiled code needs newer C or C++ library symbols than the runtime has.",
        binaries.symbol_version,
    ),
    Rule(
        "needed-library",
        "Compiled code is linked to a library that is neither in the layer nor in the runtime.",
        binaries.needed_library,
    ),
    Rule(
        "cpython-suffix",
        "An extension module is compiled only for other versions of Python.",
        binaries.cpython_suffix,
    ),
    Rule(
        "missing-dependency",
        "A package requires another package that is missing or has an incompatible version.",
        packages.missing_dependency,
    ),
    Rule(
        "hides-stdlib",
        "A module of the layer hides a module of Python's standard library.",
        standard_library.hides_stdlib,
    ),
    Rule("requires-python", "A package does not support the runtime's Python.", packages.requires_python),
    Rule(
        "path-file",
        "A package relies on a .pth file, which Python does not read in a layer.",
        packages.path_file,
    ),
    Rule(
        "runtime-sdk",
        "The layer replaces some of the runtime's boto3 packages but not all of them.",
        packages.runtime_sdk,
    ),
)
SUMMARIES = {rule.id: rule.summary for rule in RULES} | {IMPORT: IMPORT_SUMMARY}
"""What each rule is about, by its ID, with the rule `import` of `verify: import`."""

__all__ = ["RULES", "SUMMARIES", "Rule", "is_error", "labelled", "verify"]


def verify(archive: Archive, target: Target) -> tuple[Diagnostic, ...]:
    """Return the findings of all rules that the target's layer does not ignore, without the target's name."""
    return tuple(
        found._replace(location=target.layer.location, rule=rule.id)
        for rule in RULES
        if rule.id not in target.layer.ignored_rules
        for found in rule.check(archive, target)
    )


def labelled(finding: Diagnostic, target: Target) -> Diagnostic:
    """Return a finding as it is printed: the message names the target and the rule."""
    return finding._replace(message=f"{target}: {finding.message} [{finding.rule}]")


def is_error(finding: Diagnostic) -> bool:
    """Whether a finding keeps the layer from being published."""
    return finding.severity is Severity.ERROR
