"""The page: whole, readable by all, and safe whatever the names are that come from outside."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import arn, function, version

from entrypoint.aws.model import LayerVersion
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.archive_contents import Content, FileKind, Inventory
from entrypoint.release.findings import Diagnosis, warning
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.overview import Duplicate, Overview
from entrypoint.release.plan import LayerAction, LayerChange
from entrypoint.release.status import Drift, DriftKind, RegionStatus
from entrypoint.report import page
from entrypoint.report.treemap import WHOLE, boxes

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' {{ 7 * 7 }} &amp;"
)
VOID = {"meta", "link", "img", "br"}

SPARE = {"text", "p", "span"}
"""What is left out where a text is empty, or has no room."""


class Reader(HTMLParser):
    """Reads a page and complains about what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text, self.css = [], [], "", ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.css += data
        else:
            self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    def values(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def overview(name="web", text="text", *, contents=3):
    """Everything that a page can tell, with this for every name and text that comes from outside."""
    made = tuple(
        Content(
            name=f"{name}{number}",
            version=text if number else None,
            sizes={FileKind.NATIVE: 9_000_000 // (number + 1), FileKind.DATA: number, FileKind.PYTHON: 10},
            zipped=1000,
            files=3,
        )
        for number in range(contents)
    )
    layer = Inventory(
        layer=name,
        origin=text,
        zipped=5000,
        contents=made,
        paths=frozenset({f"python/{text}"}),
        note=text,
        findings=(Diagnostic(text, text, rule=name),),
    )
    stranger = LayerVersion(
        arn=arn("web", 2), version=2, description=text, created=datetime(2026, 1, 2, tzinfo=UTC)
    )
    change = LayerChange(
        layer=AwsLayer(name, ()),
        dependency_hash="",
        action=LayerAction.KEEP,
        latest=stranger,
        version=version("web", 1),
    )
    status = RegionStatus(
        destination=Destination("eu-west-1"),
        layers=(change,),
        versions={name: (stranger, version("web", 1))},
        functions=(FunctionChange(function=function(name, arn("web", 1), runtime=text), wanted=()),),
        drift=(Drift(kind=DriftKind.OFF_VERSION, subject=name, has=text, wanted=text),),
    )
    return Overview(
        project=name,
        made=datetime(2026, 11, 23, 12, tzinfo=UTC),
        missing=(Diagnostic(text, text),),
        inventories=(layer, layer),
        duplicates=(
            Duplicate(layers=(name, text), packages={name: (text, "1")}, paths=(text,), functions=(name,)),
        ),
        regions=(status,),
        diagnoses=(Diagnosis.of(Destination("eu-west-1"), [warning(text, text)]),),
    )


@pytest.fixture(scope="module")
def read():
    return Reader(page.render(overview()))


def test_it_has_landmarks_and_headings_in_order(read):
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert len([tag for tag, _ in read.tags if tag == landmark]) >= 1
    assert len(read.all("h1")) == len(read.all("main")) == 1
    assert read.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert read.tags[[tag for tag, _ in read.tags].index("a")][1] == {"class": "skip", "href": "#main"}


def test_every_reference_leads_somewhere_and_no_id_stands_twice(read):
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in read.values("href")} <= set(ids)
    assert set(read.values("aria-labelledby")) <= set(ids)


def test_maps_have_a_text_alternative(read):
    tables = len(read.all("table"))
    assert len(read.all("caption")) == tables > 0
    assert all(
        each.get("role") == "img" and each["aria-labelledby"]
        for each in read.all("svg")
        if each.get("class") == "map"
    )
    assert all("scope" in heading for heading in read.all("th"))
    # Where a narrow screen shows cells below each other, their labels tell what they are.
    cells = [each for each in read.all("td") if "colspan" not in each and each]
    assert sum("data-label" in cell for cell in cells) == len(cells) - 2  # the two bars


def test_it_needs_nothing_else_and_forbids_the_rest(read):
    assert [*read.values("src"), *read.values("style"), *read.all("script"), *read.all("link")] == []
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert not re.search(r"http|url\(|@import", read.css)
    (policy,) = (
        each["content"] for each in read.all("meta") if each.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(read.css.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_what_comes_from_outside_stays_text(read):
    hostile = Reader(page.render(overview(HOSTILE, HOSTILE)))
    assert [tag for tag, _ in hostile.tags if tag not in {"rect", "text", "svg"}] == [
        tag for tag, _ in read.tags if tag not in {"rect", "text", "svg"}
    ]
    assert [sorted(attributes) for tag, attributes in hostile.tags if tag == "td"] == [
        sorted(attributes) for tag, attributes in read.tags if tag == "td"
    ]
    assert hostile.text.count(HOSTILE) > 20
    assert hostile.css == read.css


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_any_text_changes_nothing_else(name, text):
    assert shape(name, text) == PLAIN


def shape(name, text):
    tags = Reader(page.render(overview(name, text))).tags
    return [(tag, sorted(attributes)) for tag, attributes in tags if tag not in SPARE]


PLAIN = shape("a", "b")


def test_where_nothing_is_known_it_says_so():
    empty = Overview(
        project="p",
        made=datetime(2026, 11, 23, tzinfo=UTC),
        missing=(Diagnostic("there are no AWS credentials", "set AWS_PROFILE"),),
        inventories=(),
        duplicates=(),
        regions=(),
        diagnoses=(),
    )
    text = Reader(page.render(empty)).text
    assert "there are no AWS credentials; set AWS_PROFILE" in text
    assert text.count("AWS was not read") == 3
    assert "No archive is available" in text


def test_a_map_shows_the_largest_apart_and_the_rest_together():
    (inventory, _) = overview(contents=100).inventories
    found = page.cells(inventory)
    titles = [cell.text for cell in found if cell.kind is None]
    assert len(titles) == 41
    assert "60 more" in titles


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9), max_size=60))
def test_boxes_are_in_proportion_and_fill_the_whole(sizes):
    sizes.sort(reverse=True)
    found = boxes(sizes)
    assert len(found) == len(sizes)
    for size, box in zip(sizes, found, strict=True):
        assert box.width * box.height == pytest.approx(10_000 * size / sum(sizes))
        assert min(box.x, box.y) >= -1e-6
        assert max(box.x + box.width, box.y + box.height) <= 100 + 1e-6
    for box in boxes([3, 1], WHOLE._replace(x=50, width=50)):
        assert box.x >= 50


def luminance(colour):
    parts = [int(colour[location : location + 2], 16) / 255 for location in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag_aa():
    """1.4.3 of https://www.w3.org/TR/WCAG22/: 4.5 to 1."""
    css = (Path(page.__file__).parent / "page.css").read_text()
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(themes) == 2
    for theme in themes:
        for ink in ("ink", "soft", "link", "bad", "warn", "good"):
            for ground in ("paper", "raised"):
                assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
        for kind in ("native", "python", "bytecode", "data"):
            assert contrast(theme["on"], theme[kind]) >= 4.5, kind
