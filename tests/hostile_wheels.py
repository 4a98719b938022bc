"""Wheels as hypothesis makes them: every way of writing a zip file, whole or damaged."""

import io
import re
import zipfile
from typing import NamedTuple

from hypothesis import strategies as st

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
INFO = "pkg-1.0.dist-info"
RECORD = f"{INFO}/RECORD"
_METADATA = b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\nRequires-Dist: other>=1\n"
_PATHS = [
    "pkg/__init__.py",
    "pkg/code.so",
    "pkg/naïve.py",
    f"{INFO}/METADATA",
    "pkg-1.0.data/purelib/pkg/pure.py",
    "pkg-1.0.data/scripts/tool",
]
_SIZES = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


class Unseekable(io.RawIOBase):
    """A file that zipfile cannot go back in: sizes and CRC follow the data, in data descriptors."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


class Written(NamedTuple):
    """A wheel's bytes, and the files that are in it."""

    data: bytes
    files: dict[str, bytes]


_contents = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda data, times: data * times, st.binary(min_size=1, max_size=20), st.integers(1, 200)),
    st.builds(lambda data: b"\x7fELF\2\1" + data, st.binary(max_size=200)),
    st.builds(lambda data: b"#!python\n" + data, st.binary(max_size=20)),
    st.just(_METADATA),
)


@st.composite
def wheels(draw) -> Written:
    """A sound wheel: any compression, with or without data descriptors and zip64 fields."""
    files = draw(st.dictionaries(st.sampled_from(_PATHS), _contents, max_size=4))
    record = "".join(f"{path},,\n" for path in [*files, RECORD]).encode()
    files[RECORD] = draw(st.just(record) | st.binary(max_size=50))
    out = Unseekable() if draw(st.booleans()) else io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.compress_type = draw(st.sampled_from(METHODS))
            info.external_attr = draw(st.sampled_from([0, 0o100644 << 16, 0o100755 << 16]))
            with archive.open(info, "w", force_zip64=draw(st.booleans())) as member:
                member.write(content)
    return Written(bytes(out.data if isinstance(out, Unseekable) else out.getvalue()), files)


@st.composite
def damaged_wheels(draw) -> Written:
    """A wheel of which some bytes are others, more or fewer than there should be."""
    data, files = draw(wheels())
    headers = [match.start() for match in re.finditer(rb"PK[\1-\7]", data)]
    for _ in range(draw(st.integers(1, 4))):
        location = draw(
            st.one_of(
                st.integers(0, len(data)),
                st.builds(lambda start, step: start + step, st.sampled_from(headers), st.integers(0, 60)),
            )
        )
        wide = draw(st.sampled_from([1, 2, 4, 8]))
        new = draw(
            st.one_of(
                st.binary(min_size=wide, max_size=wide),
                st.sampled_from(_SIZES).map(lambda size, wide=wide: size.to_bytes(8, "little")[:wide]),
            )
        )
        replaced = draw(st.sampled_from([wide, wide, wide, 0, len(data)]))
        data = data[:location] + new + data[location + replaced :]
    return Written(data, files)
