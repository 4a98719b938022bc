"""Folders and commits as files of an index: each is one source archive, made when it is first asked for."""

from pathlib import Path

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.files import atomic_write
from entrypoint.index.candidates import IndexFile
from entrypoint.index.git_repository import archive_of_commit
from entrypoint.index.project_sources import ProjectIndex
from entrypoint.index.source_archive import SourceArchive, archive_of_folder
from entrypoint.index.sources import GitCommit, SourceFolder


class BuiltSources:
    """The archives of one run, by their URL. Threads may share it."""

    def __init__(self) -> None:
        self._archives: dict[str, SourceArchive] = {}

    def files(self, source: GitCommit | SourceFolder) -> tuple[IndexFile, ...]:
        """Return the only file of a package; none of a folder of an earlier revision, which is gone.

        Raises:
            FetchError: it cannot be fetched or read.
        """
        if isinstance(source, GitCommit):
            url, archive = str(source), archive_of_commit(source)
        elif not source.path.exists():
            return ()
        else:
            url, archive = source.path.as_uri(), read_folder(source)
        self._archives[url] = archive
        name = archive.project.filename
        return (IndexFile(filename=name, url=url, sha256=archive.sha256, size=len(archive.content)),)

    def indexes(self, file: IndexFile) -> tuple[ProjectIndex, ...]:
        """Return the indexes that a commit takes its requirements from."""
        return self._archives[file.url].indexes

    def write(self, file: IndexFile, destination: Path) -> bool:
        """Write an archive atomically; False if the file is not one of these."""
        archive = self._archives.get(file.url)
        if archive:
            with atomic_write(destination) as out:
                out.write(archive.content)
        return archive is not None

    def metadata(self, file: IndexFile) -> bytes | None:
        """Return the METADATA of a package, if the file is one of these."""
        archive = self._archives.get(file.url)
        return archive.project.metadata if archive else None


def read_folder(source: SourceFolder) -> SourceArchive:
    """Return the archive of a folder.

    Raises:
        FetchError: it cannot be read.
    """
    try:
        return archive_of_folder(source)
    except OSError as error:
        message = f"the folder {source.path} cannot be read: {error}"
        raise FetchError(Diagnostic(message, "check permissions")) from None
    except (ValueError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        hint = "remove the file, replace the link with the file, or let git ignore it"
        raise FetchError(Diagnostic(f"the folder {source.path} {error}", hint)) from None
