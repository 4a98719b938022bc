import json

from entrypoint.index.network_settings import network_settings
from entrypoint.index.options import IndexOptions
from entrypoint.index.pip_settings import PipSettings

OPTIONS = IndexOptions(index_url="https://user:s3cret@index.example/simple/")


def variables_of(network):
    return json.loads(network.files["settings/environment.json"])


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
    network = network_settings(settings, {"AWS_SECRET_ACCESS_KEY": "x", **proxies})
    assert network.files["settings/certificates.pem"] == b"the certificates"
    certificates = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    assert variables_of(network) == {
        "http_proxy": "http://me:pr0xy@proxy.example:3128",
        "https_proxy": "http://me:pr0xy@proxy.example:3128",
        **dict.fromkeys(certificates, "settings/certificates.pem"),
        **proxies,
    }
    assert network.mask("pr0xy and other") == "**** and ****"


def test_the_passwords_of_indexes_and_keys_are_left_out(tmp_path):
    (tmp_path / ".netrc").write_text("machine index.example login me password quiet\n")
    (tmp_path / "client.pem").write_text("the key")
    settings = PipSettings(options=OPTIONS, client_cert=str(tmp_path / "client.pem"))
    network = network_settings(settings, {"HOME": str(tmp_path), "PIP_INDEX_URL": str(OPTIONS.index_url)})
    assert network.files == {"settings/environment.json": b"{}"}


def test_secrets_are_masked_encoded_or_not():
    network = network_settings(PipSettings(options=OPTIONS), {"ALL_PROXY": "http://user:p%40ss@proxy/"})
    assert network.mask("p@ss p%40ss https://user:else@host/") == "**** **** https://****@host/"
    assert "p%40ss" not in repr(network).split("files=")[0]
