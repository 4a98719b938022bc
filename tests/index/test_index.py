import json
import os
import threading

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, sha256

from entrypoint.errors import FetchError
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex


@pytest.fixture
def shelf(tmp_path):
    make_wheel(tmp_path / "shelf", "thing", "1.0", requires_python=">=3.9")
    make_sdist(tmp_path / "shelf", "thing", "1.0")
    make_wheel(tmp_path / "shelf", "Other.Thing", "2.0")
    return tmp_path / "shelf"


@pytest.fixture
def server(shelf):
    with IndexServer(shelf) as running:
        yield running


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def opened(tmp_path, pauses, request):
    """Open an index over some URL, without this machine's pip settings."""

    def open_index(url, *, options=None, **variables):
        environment = pip_environment(tmp_path, PIP_INDEX_URL=url, **variables)
        index = PackageIndex(options, environment=environment, pause=pauses.append)
        request.addfinalizer(index.close)
        return index

    return open_index


def names(files):
    return sorted(file.filename for file in files)


def only(files):
    (file,) = (file for file in files if file.filename.endswith(".whl"))
    return file


@pytest.mark.parametrize("html_only", [False, True])
def test_both_formats_of_listings_are_equivalent(shelf, opened, html_only):
    wheel = next(shelf.glob("thing*.whl"))
    with IndexServer(shelf, html_only=html_only) as server:
        server.yanked[wheel.name] = "it is broken"
        files = opened(server.url).files("Thing")
    assert names(files) == ["thing-1.0-py3-none-any.whl", "thing-1.0.tar.gz"]
    file = only(files)
    assert (file.sha256, file.requires_python, file.yanked) == (sha256(wheel), ">=3.9", "it is broken")
    assert file.size == (None if html_only else wheel.stat().st_size)


def test_names_are_canonical(opened, server):
    assert names(opened(server.url).files("other_thing")) == ["other_thing-2.0-py3-none-any.whl"]


def test_an_unknown_package_has_no_files(opened, server):
    assert opened(server.url).files("unknown") == ()


def test_each_listing_is_requested_once_for_all_threads(opened, server):
    index = opened(server.url)
    threads = [threading.Thread(target=index.files, args=("thing",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests == ["/simple/thing/"]


def test_several_indexes_and_folders_are_combined(opened, server, tmp_path):
    make_wheel(tmp_path / "more", "thing", "3.0")
    make_wheel(tmp_path / "local", "thing", "2.0")
    with IndexServer(tmp_path / "more") as more:
        index = opened(
            server.url,
            PIP_EXTRA_INDEX_URL=more.url,
            options=IndexOptions(find_links=(str(tmp_path / "local"),)),
        )
        versions = [file.filename.split("-")[1].removesuffix(".tar.gz") for file in index.files("thing")]
    assert versions == ["2.0", "1.0", "1.0", "3.0"]


def test_a_folder_alone_needs_no_network(opened, shelf, tmp_path):
    options = IndexOptions(find_links=(shelf.as_uri(),), no_index=True)
    index = opened("http://127.0.0.1:1/", options=options)
    file = only(index.files("thing"))
    assert file.sha256 is None  # a folder lists no hashes
    assert index.download(file, tmp_path / "copy.whl") == sha256(shelf / file.filename)


def test_an_index_of_plain_files(opened, shelf, tmp_path):
    page = tmp_path / "simple" / "thing" / "index.html"
    page.parent.mkdir(parents=True)
    wheel = next(shelf.glob("thing*.whl"))
    page.write_text(f'<a href="{wheel.as_uri()}#sha256={sha256(wheel)}">it</a>', "utf-8")
    index = opened((tmp_path / "simple").as_uri())
    assert only(index.files("thing")).sha256 == sha256(wheel)
    assert index.files("unknown") == ()


def test_a_page_of_links_is_read_once_for_all_its_packages(opened, server):
    page = f"{server.url}thing/"
    options = IndexOptions(find_links=(page,), no_index=True)
    index = opened(server.url, options=options)
    assert names(index.files("thing")) == ["thing-1.0-py3-none-any.whl", "thing-1.0.tar.gz"]
    assert index.files("other-thing") == ()
    assert server.requests == ["/simple/thing/"]


def test_an_index_of_the_requirements_replaces_the_configured_ones(opened, server):
    index = opened(
        "http://127.0.0.1:1/",
        PIP_EXTRA_INDEX_URL="http://127.0.0.1:2/",
        options=IndexOptions(index_url=server.url),
    )
    assert len(index.files("thing")) == 2


def test_a_download_is_complete_and_verified(opened, server, shelf, tmp_path):
    index = opened(server.url)
    file = only(index.files("thing"))
    sizes = []
    digest = index.download(file, tmp_path / "thing.whl", received=sizes.append)
    assert (digest, sum(sizes)) == (file.sha256, file.size)
    assert (tmp_path / "thing.whl").read_bytes() == (shelf / file.filename).read_bytes()
    assert (tmp_path / "thing.whl").stat().st_mode & 0o777 == 0o644


def test_a_download_that_differs_from_its_listing_is_rejected(opened, server, tmp_path):
    index = opened(server.url)
    file = only(index.files("thing"))
    server.corrupt(file.filename)
    (tmp_path / "into").mkdir()
    with pytest.raises(FetchError, match=f"differs from the index's listing: expected sha256:{file.sha256}"):
        index.download(file, tmp_path / "into" / "thing.whl")
    assert list((tmp_path / "into").iterdir()) == []


class TestCredentials:
    @pytest.fixture
    def server(self, shelf):
        with IndexServer(shelf, credentials="user:s3cret") as running:
            yield running

    def test_in_the_url(self, opened, server, tmp_path):
        index = opened(server.url_with("user:s3cret"))
        file = only(index.files("thing"))
        assert "s3cret" not in file.url
        assert index.download(file, tmp_path / "thing.whl") == file.sha256

    def test_from_a_variable_that_the_requirements_name(self, server):
        options = IndexOptions(index_url=server.url_with("user:${WORD}"))
        environment = {"PIP_CONFIG_FILE": os.devnull, "WORD": "s3cret"}
        with PackageIndex(options, environment=environment, variables={"WORD": "s3cret"}) as index:
            assert index.files("thing")
        with (
            PackageIndex(options, environment=environment) as index,
            pytest.raises(
                FetchError, match=r"^variable WORD of http://\*\*\*\*@127.0.0.1:\d+/simple/ is not set"
            ),
        ):
            index.files("thing")

    def test_from_netrc(self, opened, server, tmp_path, monkeypatch):
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password s3cret\n", "utf-8")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert opened(server.url).files("thing")

    def test_none_are_given(self, opened, server):
        with pytest.raises(FetchError) as caught:
            opened(server.url).files("thing")
        assert str(caught.value) == (
            f"{server.url}thing/ returned 401 (unauthorized); "
            "set credentials in the URL, in ~/.netrc or in the keyring"
        )

    def test_wrong_ones_are_not_shown(self, opened, server):
        with pytest.raises(FetchError, match="returned 401") as caught:
            opened(server.url_with("user:wr0ng")).files("thing")
        assert "wr0ng" not in str(caught.value)

    def test_any_text_can_be_masked(self, opened, server):
        masked = opened(server.url).mask(
            "Looking in https://user:s3cret@index.example/simple, then https://t0ken@x/"
        )
        assert masked == "Looking in https://****@index.example/simple, then https://****@x/"


class TestTrouble:
    def test_a_temporary_failure_is_retried(self, opened, server, pauses, tmp_path):
        server.fail("/simple/thing", 500)
        server.fail("/simple/thing", 429)
        index = opened(server.url)
        file = only(index.files("thing"))
        server.fail("/files/", 503)
        server.reset("/files/")
        assert index.download(file, tmp_path / "thing.whl") == file.sha256
        assert pauses == [0.25, 0.5, 0.25, 0.5]
        assert [path.name for path in tmp_path.glob("*.whl")] == ["thing.whl"]
        assert list(tmp_path.glob(".incoming-*")) == []

    def test_a_permanent_failure_is_reported(self, opened, server, pauses):
        server.fail("/simple/thing", 500, times=3)
        with pytest.raises(FetchError, match=r"returned 500 \(internal server error\); retry later"):
            opened(server.url, PIP_RETRIES="2").files("thing")
        assert len(pauses) == 2

    def test_a_broken_connection(self, opened, server):
        server.reset("/simple/thing", times=2)
        with pytest.raises(FetchError, match=r"the connection for .* was lost: .*; retry"):
            opened(server.url, PIP_RETRIES="1").files("thing")

    def test_a_timeout(self, opened, server):
        server.stall("/simple/thing")
        with pytest.raises(FetchError, match="timed out; retry, or increase pip's `timeout`"):
            opened(server.url, PIP_RETRIES="0", PIP_DEFAULT_TIMEOUT="0.2").files("thing")

    def test_no_server(self, opened):
        with pytest.raises(FetchError, match=r"cannot connect to 127\.0\.0\.1: .*check the network"):
            opened("http://user:s3cret@127.0.0.1:1/simple", PIP_RETRIES="0").files("thing")

    def test_a_name_that_does_not_resolve(self, opened):
        with pytest.raises(FetchError, match=r"cannot connect to index\.invalid"):
            opened("https://index.invalid/simple", PIP_RETRIES="0").files("thing")

    def test_a_server_without_tls(self, opened, server):
        with pytest.raises(
            FetchError, match=r"cannot establish a trusted connection to 127\.0\.0\.1: .*set `cert`"
        ):
            opened(server.url.replace("http:", "https:"), PIP_RETRIES="0").files("thing")

    def test_an_unencrypted_index_must_be_trusted(self, opened):
        with pytest.raises(FetchError, match="is not encrypted and its host is not trusted; use https"):
            opened("http://index.invalid/simple", PIP_RETRIES="0").files("thing")
        with pytest.raises(FetchError, match="cannot connect to"):
            opened("http://index.invalid/simple", PIP_RETRIES="0", PIP_TRUSTED_HOST="index.invalid").files(
                "thing"
            )

    def test_certificates_that_cannot_be_loaded(self, opened, server):
        with pytest.raises(FetchError, match="cannot load the certificates of pip's configuration"):
            opened(server.url, PIP_CERT="/no/such/file.pem").files("thing")

    def test_forbidden_is_ignored_if_another_index_has_the_package(self, opened, server, tmp_path):
        (tmp_path / "empty").mkdir()
        with IndexServer(tmp_path / "empty") as store:
            store.fail("/simple/", 403, times=2)
            index = opened(server.url, PIP_EXTRA_INDEX_URL=store.url)
            assert len(index.files("thing")) == 2
            with pytest.raises(FetchError, match=r"returned 403 \(forbidden\); check that the credentials"):
                index.files("unknown")

    def test_a_file_that_was_removed(self, opened, server, shelf, tmp_path):
        index = opened(server.url)
        file = only(index.files("thing"))
        (shelf / file.filename).unlink()
        with pytest.raises(
            FetchError, match=r"returned 404 \(not found\); retry to read the current listing"
        ):
            index.download(file, tmp_path / "thing.whl")
        assert not (tmp_path / "thing.whl").exists()

    def test_an_invalid_listing(self, opened, server):
        server.list_nonsense()
        with pytest.raises(FetchError, match="is not a valid package listing"):
            opened(server.url).files("thing")

    @pytest.mark.parametrize("filename", ["../thing-2.0-py3-none-any.whl", "..\\thing-2.0-py3-none-any.whl"])
    def test_a_listed_filename_that_is_a_path(self, opened, server, filename):
        listing = {"meta": {"api-version": "1.1"}, "name": "thing"}
        listing["files"] = [{"filename": filename, "url": "thing.whl", "hashes": {}}]
        server.listing = json.dumps(listing).encode()
        with pytest.raises(FetchError, match="is not a valid package listing"):
            opened(server.url).files("thing")

    def test_metadata_that_is_listed_but_missing(self, opened, server):
        index = opened(server.url)
        file = only(index.files("thing"))
        server.fail(".metadata", 404)
        with pytest.raises(FetchError, match=r"lists metadata for thing-1\.0.* but does not have it"):
            index.metadata(file)

    def test_an_unencrypted_page_of_links_must_be_trusted(self, opened, server):
        options = IndexOptions(find_links=("http://links.invalid/page/",))
        with pytest.raises(
            FetchError, match=r"links\.invalid/page/ is not encrypted and its host is not trusted"
        ):
            opened(server.url, options=options, PIP_RETRIES="0").files("thing")
