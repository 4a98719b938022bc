"""The proof: handlers that use a built layer, invoked as Lambda invokes them."""

import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import command
import pytest
from lambda_emulator import LambdaEmulator, downloaded, wheels_for
from layers import assembled, target, unzipped

from entrypoint.layer import elf
from entrypoint.layer.verify import verify
from entrypoint.manifest.runtimes import RUNTIMES, Platform

pytestmark = [pytest.mark.engine, pytest.mark.network]

REAL = Path(__file__).parents[1] / "data" / "real"
HANDLER = """
import importlib.metadata, sys

def may_write(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True

def handler(event, context):
    return {
        "used": use(event["input"]),
        "versions": {name: importlib.metadata.version(name) for name in event["packages"]},
        "files": [sys.modules[name].__file__ for name in event["modules"]],
        "writable": [path for path in ("/opt/python/x", "/var/task/x", "/tmp/x") if may_write(path)],
    }
"""
VALIDATE = """
import orjson, pydantic

class Order(pydantic.BaseModel):
    number: int
    items: list[str] = []

def use(text):
    return orjson.loads(orjson.dumps(Order.model_validate_json(text).model_dump()))
"""
CALCULATE = """
import numpy, pandas

def use(sold):
    frame = pandas.DataFrame({"day": ["mon", "tue", "mon"], "sold": numpy.array(sold)})
    solved = numpy.linalg.solve(numpy.array([[2.0, 0.0], [0.0, 4.0]]), numpy.array([2.0, 8.0]))
    return [frame.groupby("day")["sold"].sum().to_dict(), solved.tolist()]
"""
ENCRYPT = """
import psycopg2, psycopg2.extensions
from cryptography.fernet import Fernet

def use(secret):
    box = Fernet(Fernet.generate_key())
    dsn = psycopg2.extensions.parse_dsn("host=db port=1")
    return [box.decrypt(box.encrypt(secret.encode())).decode(), dsn]
"""
SETS = {
    "pydantic-orjson": (
        ("pydantic", "orjson"),
        ("pydantic", "pydantic_core._pydantic_core", "orjson.orjson"),
        VALIDATE,
        ('{"number": "7"}', {"number": 7, "items": []}),
    ),
    "numpy-pandas": (
        ("numpy", "pandas"),
        ("numpy", "numpy._core._multiarray_umath", "pandas", "pandas._libs.lib"),
        CALCULATE,
        ([1, 2, 3], [{"mon": 4, "tue": 2}, [1.0, 2.0]]),
    ),
    "cryptography-psycopg2": (
        ("cryptography", "psycopg2-binary"),
        ("cryptography.hazmat.bindings._rust", "_cffi_backend", "psycopg2._psycopg"),
        ENCRYPT,
        ("secret", ["secret", {"host": "db", "port": "1"}]),
    ),
}
MAPPED = """
def mapped():
    return sorted({line.split()[-1] for line in open("/proc/self/maps") if "/opt/lib/" in line})
"""
RASTER = """
import numpy, rasterio.io, rasterio.transform

def handler(event, context):
    profile = {"height": 2, "width": 2, "count": 1, "dtype": "uint8"}
    transform = rasterio.transform.from_origin(0, 0, 1, 1)
    with rasterio.io.MemoryFile() as file:
        with file.open(driver="GTiff", transform=transform, **profile) as written:
            written.write(numpy.full((1, 2, 2), event, "uint8"))
        with file.open() as read:
            return [int(read.read(1).sum()), mapped()]
"""
ODBC = """
import pyodbc

def handler(event, context):
    try:
        pyodbc.connect(f"Driver={event}")
    except pyodbc.Error as error:
        return [error.args[0], mapped()]
"""
WITH_LIBRARIES = {
    "rasterio": (
        [
            "rasterio==1.5.2",
            "affine==3.0.1",
            "attrs==26.1.0",
            "certifi==2026.10.19.post1",
            "click==8.5.1",
            "numpy==2.5.5",
            "pyparsing==3.3.3",
        ],
        {"amzn": "expat", "debian": "libexpat1"},
        RASTER,
        (3, [12, ["/opt/lib/libexpat.so.1"]]),
    ),
    "pyodbc": (
        ["pyodbc==5.5.0"],
        {"amzn": "unixODBC", "debian": "libodbc2"},
        ODBC,
        ("none", ["01000", ["/opt/lib/libltdl.so.7", "/opt/lib/libodbc.so.2"]]),
    ),
}


@pytest.fixture(scope="module")
def cache(pytestconfig):
    return pytestconfig.cache.mkdir("lambda-emulator")


@pytest.fixture(scope="module")
def emulator(engine, cache):
    return LambdaEmulator(engine, cache)


@pytest.fixture
def build(emulator, cache, tmp_path):
    def build(runtime, chosen, **options):
        """Build a layer from its lock; return its archive, and what was put into it."""
        packages, *_ = SETS[chosen]
        layer = {"requirements": packages, "runtimes": [runtime], "architectures": [emulator.architecture]}
        layer["verify"] = "static"  # the handler imports them
        manifest = {"version": 1, "layers": {chosen: {**layer, **options}}}
        (tmp_path / "lambda-layers.yml").write_text(json.dumps(manifest))
        target = f"{chosen}-{runtime}-{emulator.architecture}"
        shutil.copy(REAL / f"{target}.txt", tmp_path)
        arguments = ["build", "--locked", "--cache", cache / "layers"]
        made = command.run(arguments, folder=tmp_path, environment=os.environ)
        assert made.returncode == 0, made.stderr
        archive = tmp_path / f".lambda-layers/build/{target}.zip"
        return archive, json.loads(archive.with_suffix(".json").read_text())

    return build


@pytest.fixture
def prove(emulator):
    def prove(runtime, chosen, archive, described):
        """Let a handler use the layer, and compare what it tells of it with what was built."""
        packages, modules, code, (given, wanted) = SETS[chosen]
        event = {"input": given, "packages": packages, "modules": modules}
        answer = emulator.invoke(runtime, archive, code + HANDLER, event)
        assert answer.get("used") == wanted, answer
        locked = {package["name"]: package["version"] for package in described["packages"]}
        assert answer["versions"] == {name: locked[name] for name in packages}
        assert all(file.startswith("/opt/python/") for file in answer["files"])
        assert answer["writable"] == ["/tmp/x"]  # as in Lambda

    return prove


@pytest.mark.parametrize(
    ("runtime", "chosen"), [("python3.13", "pydantic-orjson"), ("python3.12", "cryptography-psycopg2")]
)
def test_a_handler_uses_what_was_built(build, prove, runtime, chosen):
    bytecode = "auto" if chosen == "pydantic-orjson" else False  # it takes its time
    prove(runtime, chosen, *build(runtime, chosen, bytecode=bytecode))


@pytest.mark.parametrize("chosen", ["numpy-pandas", "cryptography-psycopg2"])
def test_stripped_libraries_load(build, prove, chosen):
    archive, described = build("python3.13", chosen, strip=True, bytecode=False)
    libraries = [content for content in unzipped(archive).values() if content.startswith(elf.MAGIC)]
    assert (
        max(elf.read(io.BytesIO(library)).symbols for library in libraries) < 65536
    )  # alignment takes up the rest
    prove("python3.13", chosen, archive, described)


@pytest.mark.parametrize("chosen", ["pyodbc", pytest.param("rasterio", marks=pytest.mark.nightly)])
def test_libraries_of_the_distribution(emulator, engine, cache, tmp_path, chosen):
    """Without them, these packages are refused."""
    requirements, names, code, (given, wanted) = WITH_LIBRARIES[chosen]
    image = f"public.ecr.aws/sam/build-python3.13:latest-{emulator.architecture}"
    release = engine.containers.run(image, ["/etc/os-release"], entrypoint="cat", remove=True).decode()
    replaced = "ID=debian" in release  # where Amazon's image cannot be had
    layer = {
        "requirements": requirements,
        "runtimes": ["python3.13"],
        "architectures": [emulator.architecture],
        "libraries": [names["debian" if replaced else "amzn"]],
        "bytecode": False,
        "verify": "static",
        **({"ignore": {"symbol-version": "the system of the local image is newer"}} if replaced else {}),
    }
    (tmp_path / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {chosen: layer}}))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # has uv
    for arguments in (["lock", "--engine", "uv"], ["build", "--locked"]):
        arguments += ["--cache", cache / "layers"]
        made = command.run(arguments, folder=tmp_path, environment={**os.environ, "PATH": path})
        assert made.returncode == 0, made.stderr
    archive = tmp_path / f".lambda-layers/build/{chosen}-python3.13-{emulator.architecture}.zip"
    assert emulator.invoke("python3.13", archive, MAPPED + code, given) == wanted


def test_the_bytecode_is_what_runs(build, prove, emulator, tmp_path):
    runtime, chosen = "python3.13", "pydantic-orjson"
    archive, described = build(runtime, chosen, bytecode=True)
    prove(runtime, chosen, tampered(archive, tmp_path / "tampered.zip"), described)

    sources_only = tampered(archive, tmp_path / "sources.zip", left_out=".pyc")
    answer = emulator.invoke(runtime, sources_only, "import orjson")
    assert answer["errorMessage"] == "Unable to import module 'handler': the source was read"


def tampered(archive, path, left_out=None):
    """The same archive, whose modules raise an error where their source is read."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            if Path(info.filename).suffix != left_out:
                is_source = info.filename.endswith(".py")
                new.writestr(
                    info, "raise ImportError('the source was read')" if is_source else old.read(info)
                )
    return path


def test_a_layer_for_another_python_fails_as_we_say(emulator, cache, tmp_path):
    other = Platform(RUNTIMES["python3.13"], emulator.architecture)
    options = ("--no-deps", *wheels_for("python3.12", emulator.architecture))
    [wheel] = downloaded(cache, "orjson==3.11.4", *options)
    archive = assembled(tmp_path, wheel, platform=other)

    answer = emulator.invoke("python3.13", archive.path, "import orjson")
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'orjson.orjson'" in answer["errorMessage"]

    [finding] = verify(archive, target(other))
    assert finding.rule == "cpython-suffix"
    assert "python/orjson/orjson of orjson-3.11.4-cp312" in finding.message
    assert "is compiled for Python 3.12 only" in finding.message
