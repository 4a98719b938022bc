"""What comes out of a container, as a stream of untrusted bytes."""

import socket
import tarfile
import threading
import tracemalloc

import docker
import pytest

from entrypoint.errors import CompileError
from entrypoint.wheels.container import _chunks
from entrypoint.wheels.engine_streams import pulled_layers, unpack

MEGABYTE = 1 << 20


def stream(size, taken):
    """The archive of a folder with one file of zeros, in chunks; `taken` counts their bytes."""
    folder, file = tarfile.TarInfo("out"), tarfile.TarInfo("out/large")
    folder.type, file.size = tarfile.DIRTYPE, size
    yield folder.tobuf() + file.tobuf()
    for _ in range(size // MEGABYTE):
        taken.append(MEGABYTE)
        yield bytes(MEGABYTE)
    yield bytes(1024)


def test_a_large_file_is_never_in_memory(tmp_path):
    tracemalloc.start()
    try:
        found = unpack(stream(200 * MEGABYTE, []), tmp_path, limit=1 << 30)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found["large"].stat().st_size == 200 * MEGABYTE
    assert most < 20 * MEGABYTE


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    taken = []
    with pytest.raises(CompileError, match="the result exceeds 105 MB"):
        unpack(stream(200 * MEGABYTE, taken), tmp_path, limit=100 * MEGABYTE)
    assert sum(taken) <= 4 * MEGABYTE
    assert list(tmp_path.iterdir()) == []


def test_a_pull_that_fails_in_the_middle():
    events = [{"status": "Pulling fs layer", "id": "a"}, {"error": "no space left on device"}]
    with pytest.raises(OSError, match="no space left on device"):
        list(pulled_layers(events))


def test_output_that_arrives_together_with_the_header_is_not_lost():
    """A busy engine sends both at once; the SDK's own iterator skips the output."""
    header = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

    def answer():
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(header + b"\1\0\0\0\0\0\0\5first" + b"\2\0\0\0\0\0\0\6se")
            connection.sendall(b"cond" + b"\1\0\0\0")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer)
        thread.start()
        with docker.APIClient(f"tcp://127.0.0.1:{listening.getsockname()[1]}", version="1.41") as api:
            assert list(_chunks(api.exec_start("job", socket=True))) == [b"first", b"second"]
        thread.join()
