"""`lambda-layers init --from-aws`: the layers that functions use, with the packages that are in them."""

import faults as fault
import pytest
import yaml

from entrypoint.cli import main
from entrypoint.manifest.project import load_project

OTHER = "210987654321"


@pytest.fixture
def init(project):
    def run(code=0):
        path = project / "lambda-layers.yml"
        path.unlink(missing_ok=True)
        assert main(["init", "--from-aws"]) == code
        if code:
            assert not path.exists()
            return "", {}
        load_project(path, root=project, variables={})
        return path.read_text(), yaml.safe_load(path.read_text())

    return run


def test_what_was_deployed_comes_back(init, written, client):
    assert main(["deploy"]) == 0
    written()
    text, read = init()
    assert written() == []
    assert read["regions"] == ["eu-west-1"]
    assert read["layers"] == {
        "tools": {"requirements": ["attrs==3.0"], "runtimes": ["python3.13"], "architectures": ["x86_64"]},
        "web": {
            "requirements": ["six==1.0"],
            "runtimes": ["python3.12", "python3.13"],
            "architectures": ["x86_64"],
        },
    }
    assert read["functions"] == {"api": {"layers": ["web", "tools"]}, "report-daily": {"layers": ["web"]}}
    assert "# FILL IN: packages in web-python313-x86_64:1, including dependencies:" in text
    assert main(["status"]) == 0  # the same layers, to the dependency hash


def test_layers_of_others_and_those_that_cannot_be_read_stay_by_their_arns(init, aws):
    main(["deploy"])
    theirs = aws.declare_layer_version("Powertools", account=OTHER)
    stranger = aws.declare_layer_version("stranger", account="123456789012")
    layers = [layer.arn for layer in _api(aws).latest.layers]
    aws.declare_function("both", layers=[theirs, *layers, stranger])
    aws.declare_function("page", runtime="nodejs22.x", layers=layers)
    text, read = init()
    assert read["functions"]["both"] == {"layers": [theirs, "web", "tools", stranger]}
    assert "page" not in read["functions"]
    assert "# LEFT OUT: cannot read the archive of stranger:1 in AWS" in text


def test_an_existing_manifest_is_not_touched(project, capsys, aws):
    assert main(["init", "--from-aws"]) == 5
    assert "the manifest already exists" in capsys.readouterr().err
    assert aws.call_log == ()


def test_where_nothing_is_used(init, capsys):
    init(code=10)
    assert "no function in eu-west-1 uses a layer of this account" in capsys.readouterr().err


def test_a_refusal(init, faults, capsys):
    faults.refuse_region("eu-west-1", fault.error(403, "AccessDeniedException", "no"))
    init(code=10)
    assert "allow lambda:ListFunctions" in capsys.readouterr().err


def test_a_layer_that_may_not_be_read_is_an_error(init, faults, capsys):
    main(["deploy"])
    faults.script("GetLayerVersion", fault.DENIED, fault.DENIED)
    init(code=10)
    assert "allow lambda:GetLayerVersion to the role of this run" in capsys.readouterr().err


def test_layers_that_cannot_be_read_are_named_where_nothing_else_is_used(init, aws, capsys):
    stranger = aws.declare_layer_version("stranger", account="123456789012")
    aws.declare_function("both", layers=[stranger])
    init(code=10)
    assert "cannot read the archive of stranger:1 in AWS" in capsys.readouterr().err


def _api(aws):
    (held,) = (region for region in aws.cloud.regions.values() if region.functions)
    return held.functions["api"]
