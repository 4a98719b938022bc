"""A manifest with the files around it: its layers in AWS, its targets, the paths of its locks.

Imported by the check hook at every commit, so it is made of named tuples: defining a dataclass takes ten
times as long.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Diagnostic, Location, ManifestError
from entrypoint.files import write_text
from entrypoint.manifest import reader
from entrypoint.manifest.layer_pins import open_versions, pins_path, read_pins
from entrypoint.manifest.model import Layer, Manifest, Requirements
from entrypoint.manifest.paths import OUTSIDE_HINT, is_inside, roots_of
from entrypoint.manifest.runtimes import Platform
from entrypoint.manifest.targets import AwsLayer, Target, expand
from entrypoint.manifest.yaml_limits import check_size

OUTPUT_FOLDER = ".lambda-layers"
"""The folder beside the manifest for built archives and the embedded AWS; git ignores it."""

_EMPTY_FOLDER = (
    "the folder is empty: in a workflow, run actions/checkout before this step; in a container, mount the "
    'repository: docker run --rm -v "$PWD:/work" -w /work ...'
)


class Project(NamedTuple):
    """A manifest, its layers in AWS, and where its files are."""

    manifest: Manifest
    layers: tuple[AwsLayer, ...]
    #: Messages show paths relative to this folder.
    root: Path
    #: The folders that all files are in; none if they were not checked.
    roots: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """The manifest's folder; paths in the manifest are relative to it."""
        return self.manifest.path.parent

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, in the manifest's order."""
        return tuple(target for layer in self.layers for target in layer.targets)

    @property
    def lockable(self) -> tuple[Target, ...]:
        """The targets whose lock `lambda-layers lock` writes."""
        return tuple(
            target
            for target in self.targets
            if target.platform not in target.layer.own_locks and any(target.layer.requirements.inputs)
        )

    def lock_path(self, target: Target) -> Path:
        """Return the path of the target's lock, whether or not it exists."""
        layer = target.layer
        return lock_path(layer.requirements, target.platform, layer.name, self.folder)

    def output_folder(self) -> Path:
        """Return the folder for what a run leaves behind; create it, ignored by git."""
        folder = self.folder / OUTPUT_FOLDER
        if not folder.is_dir():
            write_text(folder / ".gitignore", "*\n")
        return folder


def lock_path(requirements: Requirements, platform: Platform, layer_name: str, folder: Path) -> Path:
    """Return the path of a platform's lock: beside the first input file, else beside the manifest."""
    if requirements.files:
        first = requirements.files[0]
        return first.with_name(f"{first.stem}-{platform}.txt")
    return folder / f"{layer_name}-{platform}.txt"


def load_project(
    path: Path, *, root: Path, variables: Mapping[str, str], outside: Sequence[Path] = ()
) -> Project:
    """Read the manifest at `path` and expand its layers to targets.

    Its files have to be in its repository, or in one of the folders `outside`.

    Raises:
        ManifestError: with every problem of the manifest, each at its line.
    """
    path = root / path
    roots = roots_of(path.parent, root, outside)
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    if path.is_symlink() and not is_inside(path, roots):
        raise ManifestError.of("is a link that leads out of the repository", OUTSIDE_HINT, Location(shown))
    try:
        check_size(path.stat().st_size, shown)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "create it with: lambda-layers init, or name another file with --manifest"
        if not any(root.iterdir()):
            hint += f"; {_EMPTY_FOLDER}"
        raise ManifestError.of("file not found", hint, Location(shown)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError.of(
            f"cannot be read: {error}", "make it a readable UTF-8 file", Location(shown)
        ) from None
    manifest = reader.load(path, text=text, shown=shown, variables=variables, roots=roots)
    project = Project(manifest=manifest, layers=expand(manifest), root=root, roots=roots)
    _refuse_shared_locks(project)
    _refuse_links(project)
    if open_versions(manifest):
        pins = pins_path(path)
        found = read_pins(pins, str(Path(shown).with_name(pins.name)))
        return project._replace(manifest=manifest._replace(layer_pins=found))
    return project


def _refuse_links(project: Project) -> None:
    """Refuse links out of the repository in the place of locks and of the output folder."""
    paths = {project.lock_path(target): target.layer.requirements.location for target in project.lockable}
    paths[pins_path(project.manifest.path)] = Location(project.manifest.path.name)
    paths |= dict.fromkeys(_output_paths(project.folder), Location(project.manifest.path.name))
    links = [(path, location) for path, location in paths.items() if path.is_symlink()]
    if found := [(path, location) for path, location in links if not is_inside(path, project.roots)]:
        raise ManifestError(
            *(
                Diagnostic(f"{path.name} is a link that leads out of the repository", "remove it", location)
                for path, location in found
            )
        )


def _output_paths(folder: Path) -> Iterator[Path]:
    """Yield the output folder, and what is in it and its folders: files and folders that are written to."""
    output = folder / OUTPUT_FOLDER
    yield output
    yield from output.glob("*")
    yield from output.glob("*/*")


def _refuse_shared_locks(project: Project) -> None:
    """Refuse layers with different requirements whose locks would be the same file."""
    problems = []
    first: dict[Path, Target] = {}
    for target in project.lockable:
        other = first.setdefault(project.lock_path(target), target).layer
        if _inputs(other) != _inputs(target.layer):
            message = f"the layers {other.name!r} and {target.layer.name!r} would share their locks"
            hint = "start their 'requirements' with different files"
            problems.append(Diagnostic(message, hint, target.layer.requirements.location))
    if problems:
        raise ManifestError(*dict.fromkeys(problems))


def _inputs(layer: Layer) -> object:
    return layer.requirements.inputs, layer.from_source
