"""Forty layers of packages that people use: built from their locks, and used by handlers in AWS's emulator.

It takes minutes, so it runs only with `--nightly`. tests/data/many has the manifest and the locks.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lambda_emulator import LambdaEmulator

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.nightly]

MANY = Path(__file__).parents[1] / "data" / "many"
COMMAND = Path(sys.executable).with_name("lambda-layers")
LAYERS = yaml.safe_load((MANY / "lambda-layers.yml").read_text())["layers"]
USES = {
    "aiohttp": ("import aiohttp", "aiohttp.ClientTimeout(3).total", 3),
    "argon2": ("import argon2", "argon2.PasswordHasher().hash('x')[:9]", "$argon2id"),
    "bcrypt": ("import bcrypt", "bcrypt.checkpw(b'x', bcrypt.hashpw(b'x', bcrypt.gensalt(4)))", True),
    "boto3": ("import boto3", "boto3.client('s3', region_name='eu-west-1').meta.region_name", "eu-west-1"),
    "cryptography": ("from cryptography.fernet import Fernet as F", "len(F.generate_key())", 44),
    "duckdb": ("import duckdb", "duckdb.connect().execute('select 6 * 7').fetchall()[0][0]", 42),
    "fastapi": ("import fastapi, mangum", "fastapi.FastAPI(title='x').title", "x"),
    "flask": ("import flask", "flask.Flask('x').name", "x"),
    "grpc": ("import grpc", "grpc.StatusCode.OK.value[0]", 0),
    "httpx": ("import httpx, h2", "httpx.URL('https://example.org/a').path", "/a"),
    "jwt": ("import jwt", "jwt.decode(jwt.encode({'a': 1}, 'k' * 32), 'k' * 32, ['HS256'])", {"a": 1}),
    "kafka": ("import confluent_kafka as k", "k.libversion()[0].count('.') > 0", True),
    "lxml": ("from lxml import etree", "etree.fromstring('<a><b/></a>')[0].tag", "b"),
    "matplotlib": ("import os; os.environ['MPLCONFIGDIR'] = '/tmp'; import matplotlib.pyplot as p", "len(p.figure().axes)", 0),
    "mongo": ("import bson", "bson.decode(bson.encode({'a': 1}))", {"a": 1}),
    "msgspec": ("import msgspec", "msgspec.json.decode(b'[1, 2]')", [1, 2]),
    "mysql-connector": ("import mysql.connector", "mysql.connector.apilevel", "2.0"),
    "nacl": ("import nacl.utils", "len(nacl.utils.random(8))", 8),
    "numpy": ("import numpy", "int(numpy.arange(4).sum())", 6),
    "openpyxl": ("import openpyxl", "openpyxl.Workbook().active.title", "Sheet"),
    "opentelemetry": ("from opentelemetry.sdk.trace import TracerProvider as T", "T().get_tracer('x') is not None", True),
    "orjson": ("import orjson", "orjson.loads(b'[1]')", [1]),
    "pandas": ("import pandas", "int(pandas.Series([1, 2]).sum())", 3),
    "pillow": ("from PIL import Image", "Image.new('RGB', (2, 3)).size", [2, 3]),
    "polars": ("import polars", "polars.Series([1, 2]).sum()", 3),
    "powertools": ("import aws_lambda_powertools as p", "p.Logger(service='x').service", "x"),
    "psycopg": ("import psycopg", "psycopg.pq.__impl__", "binary"),
    "psycopg2": ("import psycopg2.extensions as e", "e.parse_dsn('host=db')", {"host": "db"}),
    "pyarrow": ("import pyarrow", "pyarrow.array([1, 2]).to_pylist()", [1, 2]),
    "pydantic": ("import pydantic", "pydantic.TypeAdapter(int).validate_python('7')", 7),
    "pymysql": ("import pymysql", "pymysql.apilevel", "2.0"),
    "redis": ("import redis", "redis.Redis().connection_pool.max_connections > 0", True),
    "reportlab": ("from reportlab.lib.units import inch", "inch", 72.0),
    "requests": ("import requests", "requests.Request('GET', 'http://x/', params={'a': 1}).prepare().url", "http://x/?a=1"),
    "scipy": ("import scipy.linalg", "float(scipy.linalg.det([[2, 0], [0, 4]]))", 8.0),
    "shapely": ("import shapely", "shapely.Point(0, 0).buffer(1).area > 3", True),
    "soup": ("import bs4", "bs4.BeautifulSoup('<p>x</p>', 'html.parser').p.text", "x"),
    "sqlalchemy": ("import sqlalchemy", "str(sqlalchemy.text('select 1'))", "select 1"),
    "tiktoken": ("import tiktoken", "len(tiktoken.list_encoding_names()) > 3", True),
    "yaml": ("import yaml", "yaml.safe_load('a: 1')", {"a": 1}),
}  # fmt: skip


@pytest.fixture(scope="module")
def emulator(engine, pytestconfig):
    emulator = LambdaEmulator(engine, pytestconfig.cache.mkdir("lambda-emulator"))
    if emulator.architecture != "x86_64":
        pytest.skip("the locks are for x86_64")
    return emulator


@pytest.fixture(scope="module")
def built(tmp_path_factory, pytestconfig):
    project = Path(shutil.copytree(MANY, tmp_path_factory.mktemp("many") / "project"))
    command = [
        COMMAND,
        "build",
        "--locked",
        "--cache",
        pytestconfig.cache.mkdir("lambda-emulator") / "layers",
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return project / ".lambda-layers" / "build"


def test_each_layer_is_used():
    assert USES.keys() == LAYERS.keys()


@pytest.mark.parametrize("name", USES)
def test_a_handler_uses_it(emulator, built, name):
    imports, expression, wanted = USES[name]
    handler = f"{imports}\n\ndef handler(event, context):\n    return {{'used': {expression}}}\n"
    answer = emulator.invoke("python3.13", built / f"{name}-python3.13-x86_64.zip", handler, {})
    assert answer.get("used") == wanted, answer
