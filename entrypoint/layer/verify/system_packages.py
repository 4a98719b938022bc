"""The packages of Amazon Linux that have a shared library, for hints; none that runtimes have themselves.

Names of packages and sonames as in Fedora 34 to 36 for Amazon Linux 2023, and as in CentOS 7 for Amazon
Linux 2, from which they come. Packages that are in one of them only are listed for it only.
"""

from collections.abc import Iterable, Iterator, Mapping

from entrypoint.manifest.runtimes import AL2, AL2023, OperatingSystem

_BOTH = """
    atk: libatk-1.0.so.0
    cairo: libcairo-gobject.so.2 libcairo.so.2
    cyrus-sasl-lib: libsasl2.so.3
    fontconfig: libfontconfig.so.1
    freetype: libfreetype.so.6
    fribidi: libfribidi.so.0
    gdk-pixbuf2: libgdk_pixbuf-2.0.so.0
    glib2: libgobject-2.0.so.0
    graphite2: libgraphite2.so.3
    harfbuzz: libharfbuzz.so.0
    libX11: libX11.so.6
    libXau: libXau.so.6
    libXext: libXext.so.6
    libXft: libXft.so.2
    libXi: libXi.so.6
    libXrender: libXrender.so.1
    libaio: libaio.so.1
    libatomic: libatomic.so.1
    libglvnd: libGLdispatch.so.0
    libglvnd-egl: libEGL.so.1
    libglvnd-glx: libGL.so.1 libGLX.so.0
    libgomp: libgomp.so.1
    libjpeg-turbo: libjpeg.so.62
    libquadmath: libquadmath.so.0
    libssh2: libssh2.so.1
    libtool-ltdl: libltdl.so.7
    libxcb: libxcb.so.1 libxcb-render.so.0 libxcb-shm.so.0
    libxslt: libexslt.so.0 libxslt.so.1
    numactl-libs: libnuma.so.1
    openldap: liblber-2.4.so.2 libldap-2.4.so.2 libldap_r-2.4.so.2
    pango: libpango-1.0.so.0 libpangocairo-1.0.so.0 libpangoft2-1.0.so.0
    pixman: libpixman-1.so.0
    snappy: libsnappy.so.1
    unixODBC: libodbc.so.2 libodbcinst.so.2
    xmlsec1: libxmlsec1.so.1
    xmlsec1-openssl: libxmlsec1-openssl.so.1
"""
_AL2023 = """
    expat: libexpat.so.1
    gdbm-libs: libgdbm.so.6
    libbrotli: libbrotlicommon.so.1 libbrotlidec.so.1 libbrotlienc.so.1
    libdatrie: libdatrie.so.1
    libgcrypt: libgcrypt.so.20
    libgfortran: libgfortran.so.5
    libgpg-error: libgpg-error.so.0
    libnsl: libnsl.so.1
    libpng: libpng16.so.16
    libpq: libpq.so.5
    libthai: libthai.so.0
    libtiff: libtiff.so.5
    libwebp: libwebp.so.7 libwebpdemux.so.2 libwebpmux.so.3
    libxcrypt: libcrypt.so.2
    libxcrypt-compat: libcrypt.so.1
    mariadb-connector-c: libmariadb.so.3
"""
_AL2 = """
    glib2: libgio-2.0.so.0 libglib-2.0.so.0 libgmodule-2.0.so.0 libgthread-2.0.so.0
    libgfortran: libgfortran.so.4
    libpng: libpng15.so.15
    libtiff: libtiff.so.5
    libzstd: libzstd.so.1
    lz4: liblz4.so.1
    mariadb-libs: libmysqlclient.so.18
    pcre: libpcre.so.1
    postgresql-libs: libpq.so.5
"""


def _read(*tables: str) -> Iterator[tuple[str, str]]:
    for line in "\n".join(tables).split("\n"):
        name, _, sonames = line.strip().partition(": ")
        yield from ((soname, name) for soname in sonames.split())


PACKAGES: Mapping[OperatingSystem, Mapping[str, str]] = {
    AL2: dict(_read(_BOTH, _AL2)),
    AL2023: dict(_read(_BOTH, _AL2023)),
}
"""The package of each library, by its soname."""


def packages_of(sonames: Iterable[str], system: OperatingSystem) -> tuple[str, ...] | None:
    """Return the packages with these libraries, sorted; None if one of them is not known."""
    known = PACKAGES[system]
    names = {known.get(soname) for soname in sonames}
    return None if None in names else tuple(sorted(name for name in names if name))
