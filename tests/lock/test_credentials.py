"""Passwords and tokens in URLs, also in URLs that are not valid, are in no message."""

import os
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import command
import pytest
from package_index import pip_environment

from entrypoint.errors import FetchError
from entrypoint.index.options import without_credentials
from entrypoint.index.package_index import PackageIndex

MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
INVALID = "https://user:s3c/r3t@index.invalid/simple/"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:s3cret@host/x", "https://****@host/x"),
        ("https://user:s3c/r3t@host/x", "https://****@host/x"),
        ("https://user:s3c#r?3t@host/x", "https://****@host/x"),
        ("https://s3c/r3t@host/x", "https://****@host/x"),
        ("https://s3cret@host", "https://****@host"),
        ("https://host/x.whl?X-Amz-Signature=s3c&r3t=1#sha256=1", "https://host/x.whl?****#sha256=1"),
        ("from (https://host/x?token=s3cret), then", "from (https://host/x?****), then"),
        ("https://a:s3c@h/x and https://b:r3t@i/y?z=s3c", "https://****@h/x and https://****@i/y?****"),
        ("git+https://host/project@v1.0", "git+https://host/project@v1.0"),
        ("https://host:8080/simple/ and a@b", "https://host:8080/simple/ and a@b"),
        ("is it https://host/simple/? no", "is it https://host/simple/? no"),
    ],
)
def test_what_is_shown_of_urls(text, shown):
    assert without_credentials(text) == shown


@pytest.mark.parametrize("part", ["//a:", "//a", "//a@", "://a?", "//a:@b/"])
def test_long_texts_take_no_longer_than_others(part):
    without_credentials(part * 300_000 + "@x")  # took minutes


LINES = {
    "index": f"--index-url {INVALID}\nthing==1.0\n",
    "extra index": f"--extra-index-url {INVALID}\nthing==1.0\n",
    "find-links": f"--find-links {INVALID}\nthing==1.0\n",
    "direct reference": f"thing @ {INVALID}thing-1.0.whl\n",
    "bare URL": f"{INVALID}thing-1.0.whl\n",
    "editable": f"-e git+{INVALID}\n",
    "included file": f"-r {INVALID}web.txt\n",
    "option after": f"thing==1.0 {INVALID}\n",
    "hash": f"thing==1.0 --hash={INVALID}\n",
    "open quote": f"--index-url '{INVALID}\n",
}


def lock(folder, engine, **variables):
    environment = pip_environment(folder / "home", PIP_RETRIES="0", **variables)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = command.run(["lock", "--engine", engine], folder=folder, environment=environment)
    assert result.returncode not in {0, 1}
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    return said


@pytest.fixture
def project(tmp_path):
    (tmp_path / "lambda-layers.yml").write_text(MANIFEST, "utf-8")
    (tmp_path / "web.in").write_text("thing==1.0\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("engine", ["pip-compile", "uv"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_password_with_a_slash_in_requirements(project, engine, line):
    (project / "web.in").write_text(line, "utf-8")
    said = lock(project, engine)
    assert "****@index.invalid" in said
    assert "s3c" not in said
    assert "r3t" not in said


SETTINGS = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PROXY", "HTTPS_PROXY"]


@pytest.mark.parametrize("engine", ["pip-compile", "uv"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_password_with_a_slash_in_settings(project, engine, setting):
    said = lock(project, engine, **{setting: INVALID})
    assert "is not a valid URL" in said or "the URL of the proxy is not valid" in said
    assert "s3c" not in said
    assert "r3t" not in said


def test_a_password_with_a_slash_in_pips_configuration(project):
    (project / "pip.conf").write_text(f"[global]\nindex-url = {INVALID}\n", "utf-8")
    said = lock(project, "pip-compile", PIP_CONFIG_FILE=str(project / "pip.conf"))
    assert "https://****@index.invalid/simple/ is not a valid URL; in user names and passwords, write" in said
    assert "s3c" not in said


@contextmanager
def serving(status, location):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            redirects = "signature" not in self.path
            self.send_response(302 if redirects else status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_signed_url_after_a_redirect(tmp_path, status):
    with serving(status, "/thing.html?signature=s3cret") as url:
        environment = pip_environment(tmp_path, PIP_INDEX_URL=url, PIP_RETRIES="0")
        with PackageIndex(environment=environment) as index:
            if status == 200:
                assert index.files("thing") == ()
                return
            with pytest.raises(FetchError) as caught:
                index.files("thing")
    assert "s3cret" not in str(caught.value)
