import os
import subprocess
import sys

import pytest
from package_index import pip_environment

from entrypoint.errors import FetchError
from entrypoint.index.options import IndexOptions
from entrypoint.index.pip_settings import combined, parse_pip_settings, read_pip_settings


def test_the_configuration_is_read_by_pip(tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://global.example/simple\ntimeout = 7\n"
        "find-links =\n    wheels\n    more\n"
        "[install]\nindex-url = https://install.example/simple\n[freeze]\nindex-url = https://no.example\n",
        "utf-8",
    )
    environment = {**pip_environment(tmp_path), "PIP_CONFIG_FILE": str(config), "PIP_RETRIES": "2"}
    settings = read_pip_settings(environment)
    assert settings.options.index_url == "https://install.example/simple"
    assert settings.options.find_links == ("wheels", "more")
    assert (settings.timeout, settings.retries) == (7.0, 2)


def test_a_configuration_that_pip_cannot_read(tmp_path):
    (tmp_path / "pip.conf").write_text("index-url = without a section\n", "utf-8")
    environment = {**pip_environment(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    with pytest.raises(FetchError, match="pip cannot read its configuration"):
        read_pip_settings(environment)


def test_without_files_it_is_what_pip_prints(tmp_path):
    """pip is not started then."""
    environment = pip_environment(
        tmp_path,
        PIP_INDEX_URL="https://one.example/it's",
        PIP_EXTRA_INDEX_URL="https://two.example\nhttps://three.example",
        PIP_DEFAULT_TIMEOUT="7",
        PIP_UPLOADED_PRIOR_TO="P7D",
        PIP_NO_INDEX="1",
    )
    assert environment["PIP_CONFIG_FILE"] == os.devnull
    printed = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "config", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    settings = read_pip_settings(environment | {"PATH": "/nowhere"})
    assert settings == parse_pip_settings(printed, environment)
    assert settings.options.extra_index_urls == ("https://two.example", "https://three.example")
    assert (settings.timeout, settings.has_cutoff, settings.options.no_index) == (7.0, True, True)


def test_the_last_section_wins():
    text = (
        ":env:.index-url='https://env.example'\n"
        "global.index-url='https://global.example'\n"
        "install.index-url='https://install.example'\n"
        "install.no-index='true'\n"
        'global.trusted-host="one.example two.example"\n'
        "global.cert='/ca.pem'\nglobal.client-cert='/me.pem'\nglobal.proxy='http://proxy:1'\n"
        "some noise\nglobal.other.key='x'\n"
    )
    settings = parse_pip_settings(text, {})
    assert settings.options == IndexOptions(
        index_url="https://env.example", trusted_hosts=("one.example", "two.example"), no_index=True
    )
    assert (settings.cert, settings.client_cert, settings.proxy) == ("/ca.pem", "/me.pem", "http://proxy:1")


def test_nothing_is_configured():
    settings = parse_pip_settings("", {"REQUESTS_CA_BUNDLE": "/bundle.pem"})
    assert (settings.options, settings.timeout, settings.retries) == (IndexOptions(), 15.0, 5)
    assert settings.cert == "/bundle.pem"
    assert combined(settings.options, IndexOptions(), {}).index_url == "https://pypi.org/simple/"


def test_invalid_numbers_are_ignored():
    assert parse_pip_settings("global.timeout='soon'\n", {}).timeout == 15.0


def test_requirements_files_extend_the_configuration():
    configured = IndexOptions(
        index_url="https://a", extra_index_urls=("https://b",), find_links=("x",), trusted_hosts=("h",)
    )
    required = IndexOptions(extra_index_urls=("https://${WHO}@c",), find_links=("y",), pre=True)
    both = combined(configured, required, {"WHO": "me"})
    assert both.index_url == "https://a"
    assert both.extra_index_urls == ("https://b", "https://me@c")
    assert (both.find_links, both.trusted_hosts, both.pre) == (("x", "y"), ("h",), True)
    replaced = combined(configured, IndexOptions(index_url="https://d"), {})
    assert (replaced.index_url, replaced.extra_index_urls) == ("https://d", ())
    options = {"find_links": ("${ONE}",), "trusted_hosts": ("${HOST}",), "no_binary": ("${NAME}",)}
    unknown = IndexOptions(index_url="https://${ONE}@d/${TWO}", **options)
    with pytest.raises(FetchError) as caught:
        combined(configured, unknown, {})
    assert [problem.message for problem in caught.value.problems] == [
        "variable HOST of ${HOST} is not set",
        "variable NAME of ${NAME} is not set",
        "variable ONE of https://****@d/${TWO} is not set",
        "variable TWO of https://****@d/${TWO} is not set",
    ]
