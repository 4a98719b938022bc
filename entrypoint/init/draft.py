"""A manifest before it is written: layers, functions, and a note for everything that was found.

Every reader returns a `Draft`. Its texts may have placeholders (see `placeholders`) for what is only known at
deployment. `manifest_file` writes a draft, `summary` prints its notes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import NamedTuple

from entrypoint.errors import Location


class Kind(StrEnum):
    """What a note is about; the values are the headings of the summary."""

    TAKEN = "taken over"
    LEFT_OUT = "left out"
    FILL_IN = "to fill in"


class Note(NamedTuple):
    """What became of one thing that was found, and where it was found."""

    kind: Kind
    text: str
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.location}: {self.text}" if self.location else self.text


def taken(text: str, location: Location | None = None) -> Note:
    """Return a note on something that the manifest has."""
    return Note(Kind.TAKEN, text, location)


def left_out(text: str, location: Location | None = None) -> Note:
    """Return a note on something that the manifest does not have, and why."""
    return Note(Kind.LEFT_OUT, text, location)


def fill_in(text: str, location: Location | None = None) -> Note:
    """Return a note on something that the user has to do."""
    return Note(Kind.FILL_IN, text, location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a layer that templates have too; each is the manifest's key of the same name."""

    description: str = ""
    license: str = ""
    exclude: tuple[str, ...] = ()
    exclude_packages: tuple[str, ...] = ()
    strip: bool = False
    #: The keys of `share`: accounts, organization, public.
    share: Mapping[str, object] | None = None


NO_SETTINGS = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is in a layer; the paths are relative to the manifest's folder."""

    #: Requirements files, or requirements.
    requirements: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    #: The project's own lock.
    lock: str = ""
    include: tuple[str, ...] = ()
    content: str = ""

    def __bool__(self) -> bool:
        return bool(self.requirements or self.lock or self.include or self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLayer:
    """A layer that was found."""

    name: str
    content: Content
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    #: The layer's name in AWS; empty if it is the default one.
    aws_name: str = ""
    settings: Settings = NO_SETTINGS
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFunction:
    """A function that was found: its name, or tags that select it, and layers as names or ARNs."""

    name: str
    layers: tuple[str, ...]
    tag: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The layers and functions that were found."""

    layers: tuple[DraftLayer, ...] = ()
    functions: tuple[DraftFunction, ...] = ()
    region: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def all_notes(self) -> tuple[Note, ...]:
        """The notes of the draft, its layers and its functions."""
        of_layers = (note for layer in self.layers for note in layer.notes)
        of_functions = (note for function in self.functions for note in function.notes)
        return (*self.notes, *of_layers, *of_functions)


def layer_name(text: str) -> str:
    """Return a valid layer name that is similar to a text."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[:100] or "shared"


def free_name(name: str, taken_names: Iterable[str]) -> str:
    """Return the name, with a number if it is taken."""
    others = set(taken_names)
    numbered = (f"{name[:95]}-{number}" for number in count(2))
    return name if name not in others else next(each for each in numbered if each not in others)
