"""The image's botocore knows the services that are called, and those that credentials come from."""

import ast
import runpy
from pathlib import Path

import boto3

ROOT = Path(__file__).parent.parent
KEEP = runpy.run_path(str(ROOT / "image" / "keep_services.py"))
OTHER_WORDS = {"config", "dynamodb", "events", "kinesis", "rds"}
"""Words of our code that are names of services, and meant otherwise."""


def test_the_services_that_are_called_are_kept():
    services = set(boto3.Session().get_available_services())
    words = {
        node.value
        for path in (ROOT / "entrypoint" / "aws").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
    }
    from_credentials = {"signin", "sso", "sso-oidc", "sts"}
    assert (words & services) - from_credentials == KEEP["SERVICES"] - from_credentials | OTHER_WORDS
    assert from_credentials < KEEP["SERVICES"] <= services


def test_files_stay_and_all_other_services_go(tmp_path):
    for name in (*KEEP["SERVICES"], "zocalo"):
        (tmp_path / name / "2020-01-01").mkdir(parents=True)
    (tmp_path / "endpoints.json").touch()
    KEEP["main"](tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == KEEP["SERVICES"] | {"endpoints.json"}
