import configparser
import json

from entrypoint.index.network_settings import network_settings
from entrypoint.index.options import IndexOptions
from entrypoint.index.pip_settings import PipSettings

OPTIONS = IndexOptions(
    index_url="https://user:s3cret@index.example/simple/",
    extra_index_urls=("https://more.example/simple/", "file:///opt/simple/"),
    find_links=("/srv/wheels", "https://links.example/100%25/"),
    trusted_hosts=("index.example", "more.example"),
)


def gathered(tmp_path, options=OPTIONS, settings=None, **variables):
    environment = {"HOME": str(tmp_path), **variables}
    return network_settings(settings or PipSettings(options=options), options, environment)


def variables_of(network):
    return json.loads(network.files["settings/environment.json"])


def test_pip_conf_has_the_urls_that_a_container_can_access(tmp_path):
    network = gathered(tmp_path)
    parser = configparser.RawConfigParser()
    parser.read_string(network.files["settings/pip.conf"].decode())
    values = dict(parser["global"])
    assert values["index-url"] == OPTIONS.index_url
    assert values["extra-index-url"].split() == ["https://more.example/simple/"]
    assert values["find-links"].split() == ["https://links.example/100%25/"]
    assert values["trusted-host"].split() == ["index.example", "more.example"]
    assert "no-index" not in values
    assert "proxy" not in values
    assert variables_of(network) == {"PIP_CONFIG_FILE": "settings/pip.conf"}


def test_only_the_netrc_entries_of_the_indexes_are_copied(tmp_path):
    (tmp_path / ".netrc").write_text(
        "machine more.example login me password quiet\nmachine elsewhere.example login me password never\n"
        "default login any password never-either\n"
    )
    (tmp_path / ".netrc").chmod(0o600)
    network = gathered(tmp_path)
    text = network.files["settings/netrc"].decode()
    assert "machine more.example login me password quiet\n" in text
    assert "elsewhere" not in text
    assert variables_of(network)["NETRC"] == "settings/netrc"
    assert network.mask("it said quiet") == "it said ****"


def test_certificates_and_proxies(tmp_path):
    (tmp_path / "ca.pem").write_text("the certificates")
    (tmp_path / "client.pem").write_text("the key")
    settings = PipSettings(
        options=OPTIONS,
        cert=str(tmp_path / "ca.pem"),
        client_cert=str(tmp_path / "client.pem"),
        proxy="http://me:pr0xy@proxy.example:3128",
    )
    proxies = {"HTTPS_PROXY": "http://me:other@proxy.example:1", "no_proxy": "localhost"}
    network = gathered(tmp_path, settings=settings, AWS_SECRET_ACCESS_KEY="x", **proxies)
    assert network.files["settings/certificates.pem"] == b"the certificates"
    assert network.files["settings/client.pem"] == b"the key"
    certificates = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    assert variables_of(network) == {
        "PIP_CONFIG_FILE": "settings/pip.conf",
        "PIP_CLIENT_CERT": "settings/client.pem",
        **dict.fromkeys(certificates, "settings/certificates.pem"),
        **proxies,
    }
    assert b"proxy = http://me:pr0xy@proxy.example:3128\n" in network.files["settings/pip.conf"]
    assert network.mask("pr0xy and other") == "**** and ****"


def test_secrets_are_masked_encoded_or_not(tmp_path):
    options = IndexOptions(index_url="https://user:p%40ss@index.example/simple/")
    network = gathered(tmp_path, options)
    assert network.mask("p@ss p%40ss https://user:else@host/") == "**** **** https://****@host/"
    assert "p%40ss" not in repr(network).split("files=")[0]
