"""A rule about modules that hide those of the standard library."""

import re
from collections.abc import Iterator

from entrypoint.errors import Diagnostic
from entrypoint.layer.assemble import Archive
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target

_NAMES = """
abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins bz2 cProfile calendar cmath
cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars
copy copyreg csv ctypes curses dataclasses datetime dbm decimal difflib dis doctest email encodings
ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc
genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib importlib
inspect io ipaddress itertools json keyword linecache locale logging lzma mailbox marshal math mimetypes
mmap modulefinder multiprocessing netrc ntpath nturl2path numbers opcode operator optparse os pathlib
pdb pickle pickletools pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd
py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource rlcompleter
runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3
sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess symtable sys
sysconfig syslog tabnanny tarfile tempfile termios textwrap threading time timeit token tokenize trace
traceback tracemalloc tty types typing unicodedata unittest urllib uuid venv warnings wave weakref
webbrowser wsgiref xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
"""
STANDARD_LIBRARY = frozenset(_NAMES.split())
"""In the standard library of Python 3.9 to 3.14 alike; what a version does not have can be a backport."""
_MODULE = re.compile(rf"{ROOT}(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\.py|(?:\.[^/]*)?\.so|/__init__\.py)")


def hides_stdlib(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find modules that Python imports instead of those of its standard library.

    /opt/python is on sys.path before the standard library.
    """
    if target.platform.runtime.python is None:
        return
    for part in archive.parts:
        matches = (_MODULE.fullmatch(entry.path) for entry in part.entries)
        hidden = sorted({match["name"] for match in matches if match} & STANDARD_LIBRARY)
        if hidden:
            message = f"{part.origin} hides {', '.join(hidden)} of the standard library"
            message += ": /opt/python comes first on sys.path"
            hint = f"remove {part.name}; {target.platform.runtime} does not need it"
            yield Diagnostic(message, hint)
