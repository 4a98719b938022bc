"""The shared libraries that a runtime provides without any layer.

Amazon Linux 2023: as users of provided.al2023 listed them in /lib64 of the real environment. Five names are
in the public image but not there, and are left out: libgcrypt, libassuan, libgobject-2.0, libgpg-error,
libgpgme. Amazon Linux 2: no such listing is available. These are the libraries that the manylinux2014
policy (PEP 599) presupposes, and those that the runtime's CPython is linked to; the list may be incomplete.
"""

from entrypoint.manifest.runtimes import AL2, AL2023, OperatingSystem, Runtime

_AL2023 = """
    ld-linux-aarch64.so.1 ld-linux-x86-64.so.2 libBrokenLocale.so.1 libacl.so.1 libanl.so.1
    libarchive.so.13 libattr.so.1 libaudit.so.1 libauparse.so.0 libblkid.so.1 libbz2.so.1 libc.so.6
    libc_malloc_debug.so.0 libcap-ng.so.0 libcap.so.2 libcom_err.so.2 libcrypto.so.3 libcurl.so.4
    libdl.so.2 libdnf.so.2 libdrop_ambient.so.0 libffi.so.8 libform.so.6 libformw.so.6
    libgcc_s-14-20250110.so.1 libgcc_s.so.1 libgio-2.0.so.0 libgirepository-1.0.so.1
    libgirepository-2.0.so.0 libglib-2.0.so.0 libgmodule-2.0.so.0 libgmp.so.10 libgssapi_krb5.so.2
    libgssrpc.so.4 libgthread-2.0.so.0 libhistory.so.8 libidn2.so.0 libjson-c.so.5 libk5crypto.so.3
    libkdb5.so.10 libkeyutils.so.1 libkrad.so.0 libkrb5.so.3 libkrb5support.so.0 liblz4.so.1
    liblzma.so.5 libm.so.6 libmagic.so.1 libmenu.so.6 libmenuw.so.6 libmodulemd.so.2 libmount.so.1
    libmpfr.so.6 libmvec.so.1 libncurses.so.6 libncursesw.so.6 libnghttp2.so.14 libnpth.so.0
    libnss_compat.so.2 libnss_dns.so.2 libnss_files.so.2 libp11-kit.so.0 libpanel.so.6 libpanelw.so.6
    libpcre2-8.so.0 libpcre2-posix.so.3 libpeas-1.0.so.0 libpopt.so.0 libpsl.so.5 libpsx.so.2
    libpthread.so.0 libreadline.so.8 librepo.so.0 libresolv.so.2 librpm.so.9 librpmio.so.9 librt.so.1
    libselinux.so.1 libsepol.so.2 libsigsegv.so.2 libsmartcols.so.1 libsolv.so.1 libsolvext.so.1
    libsqlite3.so.0 libssl.so.3 libstdc++.so.6 libtasn1.so.6 libthread_db.so.1 libtic.so.6 libtinfo.so.6
    libunistring.so.2 libutil.so.1 libuuid.so.1 libverto.so.1 libxml2.so.2 libyaml-0.so.2 libz.so.1
    libzstd.so.1
"""
_AL2 = """
    ld-linux-aarch64.so.1 ld-linux-x86-64.so.2 libanl.so.1 libbz2.so.1 libc.so.6 libcrypt.so.1
    libcrypto.so.10 libcurl.so.4 libdl.so.2 libexpat.so.1 libffi.so.6 libgcc_s.so.1 liblzma.so.5
    libm.so.6 libncursesw.so.6 libnghttp2.so.14 libnsl.so.1 libpthread.so.0 libreadline.so.6
    libresolv.so.2 librt.so.1 libsqlite3.so.0 libssl.so.10 libstdc++.so.6 libtinfo.so.6 libutil.so.1
    libuuid.so.1 libxml2.so.2 libz.so.1
"""
_LISTED: dict[OperatingSystem, frozenset[str]] = {
    AL2: frozenset(_AL2.split()),
    AL2023: frozenset(_AL2023.split()),
}
COMPLETE = frozenset({AL2023})
"""The systems whose list is known to be complete."""


def libraries_of(runtime: Runtime) -> frozenset[str]:
    """Return the sonames that a runtime provides, with libpython if the runtime has Python."""
    version = runtime.python_version
    own = {f"libpython3.{version[1]}.so.1.0", "libpython3.so"} if version else set()
    return _LISTED[runtime.system] | own
