"""SAM and CloudFormation templates as AWS documents them: each layer and function is in the manifest, or reported.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
"""

import json

import pytest
from loading import problems_of

POWERTOOLS = "arn:aws:lambda:{}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:7"
LAYER = "  Deps: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13}, Properties: {ContentUri: deps/, CompatibleRuntimes: [python3.13]}}\n"
DEPS = {"deps/requirements.txt": "jinja2\n"}
STACK = {
    "samconfig.toml": 'version = 0.1\n[default.deploy.parameters]\nstack_name = "shop"\nregion = "eu-west-1"\n'
}


def template(resources, head=""):
    return {"template.yaml": f"Transform: AWS::Serverless-2016-10-31\n{head}Resources:\n{LAYER}{resources}"}


def function(key, properties):
    return f"  {key}: {{Type: AWS::Serverless::Function, Properties: {{Runtime: python3.13, Layers: [!Ref Deps], {properties}}}}}\n"


def names(found):
    return list(found.functions)


def test_globals_conditions_and_a_layer_of_a_parameter(init):
    found = init(
        DEPS
        | STACK
        | {
            "template.yaml": """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  PowertoolsArn:
    Type: String
    Default: arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:7
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: python3.13
    Architectures: [arm64]
    Layers:
      - !Ref PowertoolsArn
Resources:
  Deps:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: !Sub "${AWS::StackName}-${Stage}-deps"
      Description: packages of the shop
      ContentUri: deps/
      CompatibleRuntimes: [python3.13]
      LicenseInfo: MIT
      RetentionPolicy: Retain
    Metadata:
      BuildMethod: python3.13
      BuildArchitecture: arm64
  Api:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-${Stage}-api"
      AutoPublishAlias: live
      Layers: [!Ref Deps]
  Audit:
    Type: AWS::Serverless::Function
    Condition: IsProd
    Properties: {FunctionName: audit, Layers: [!Ref Deps]}
"""
        }
    )
    assert found.layers == {
        "shop-dev-deps": {
            "requirements": "deps/requirements.txt",
            "runtimes": ["python3.13"],
            "architectures": ["arm64"],
            "description": "packages of the shop",
            "license": "MIT",
        }
    }
    assert found.functions == {
        "shop-dev-api": {"layers": [POWERTOOLS.format("eu-west-1"), "shop-dev-deps"], "aliases": ["live"]}
    }
    assert found.regions == ["eu-west-1"]
    assert "template.yaml:35: Audit: condition IsProd is false with the defaults" in found.left
    assert "template.yaml:32: its name is that of the defaults of Stage" in found.taken
    assert "# LEFT OUT: Audit: condition IsProd" in found.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("!Ref Name", "faq"),
        ("!Sub '${Name}-api'", "faq-api"),
        ("!Sub ['${A}-${Name}', {A: !Select [1, [x, y]]}]", "y-faq"),
        ("!Join ['-', [!Ref Stage, !Ref Name]]", "dev-faq"),
        ("!Join ['-', !Split ['.', a.b]]", "a-b"),
        ("!If [Prod, worker, !Sub 'worker-${Stage}']", "worker-dev"),
        ("!If [NotProd, one, two]", "one"),
        ("!FindInMap [Names, !Ref Stage, api]", "api-of-dev"),
        ("!Sub '${AWS::StackName}-api'", "shop-api"),
        ("!Sub '${AWS::StackName}-${AWS::Region}'", "shop-eu-west-1"),
        ("!Sub '${Team}-api'", "${Team}-api"),
        ('{"Fn::Sub": "${Name}-json"}', "faq-json"),
        ("!Select [0, !Ref AWS::NoValue, 2]", None),
        ("!ImportValue the-name", None),
        ("!Sub '${Bucket}-api'", None),
        ("!Ref FromSsm", None),
        ("!If [Unknown, a, b]", None),
    ],
)
def test_the_name_of_a_function(init, name, expected):
    head = """\
Parameters:
  Name: {Type: String, Default: faq}
  Stage: {Type: String, Default: dev}
  Team: {Type: String}
  FromSsm: {Type: "AWS::SSM::Parameter::Value<String>", Default: /the/name}
Mappings: {Names: {dev: {api: api-of-dev}}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  NotProd: !And [!Not [!Condition Prod], !Or [!Equals [a, a], !Condition Prod]]
  Unknown: !Equals [!Ref Team, x]
"""
    bucket = "  Bucket: {Type: AWS::S3::Bucket}\n"
    found = init(DEPS | STACK | template(bucket + function("Api", f"FunctionName: {name}"), head))
    if expected is None:  # selected by the tags that CloudFormation sets, and by nothing wider
        tags = {"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "Api"}
        assert found.functions == {"Api": {"tag": tags, "layers": ["Deps"]}}
    else:
        assert found.functions == {expected: {"layers": ["Deps"]}}
    assert not any("*" in each for each in found.functions)


def test_the_name_of_an_unknown_stack_is_a_variable(init):
    found = init(
        DEPS
        | template(
            function("Api", "FunctionName: !Sub '${AWS::StackName}-api'") + function("Cron", "Timeout: 3")
        )
    )
    assert found.functions["${STACK}-api"] == {"layers": ["Deps"]}
    assert found.functions["Cron"]["tag"]["aws:cloudformation:stack-name"] == "${STACK}"
    assert "replace ${STACK}, or add --set STACK=VALUE to every command" in found.fill
    assert [entry.pattern for entry in found.manifest.functions] == ["given-api", "Cron"]
    assert "variable STACK is not set" in problems_of(found.folder)


def test_the_layer_arns_of_other_accounts(init):
    two = (
        "arn:aws:lambda:eu-west-1:111122223333:layer:one:1, arn:aws:lambda:eu-west-1:111122223333:layer:two:2"
    )
    head = f"""\
Parameters: {{Layers: {{Type: CommaDelimitedList, Default: "{two}"}}}}
Mappings:
  Same: {{us-east-1: {{arn: "{POWERTOOLS.format("us-east-1")}"}}, eu-west-1: {{arn: "{POWERTOOLS.format("eu-west-1")}"}}}}
  Differs: {{us-east-1: {{arn: "arn:aws:lambda:us-east-1:580247275435:layer:Insights:1"}}, eu-west-1: {{arn: "arn:aws:lambda:eu-west-1:580247275435:layer:Insights:2"}}}}
"""
    layers = """\
  A: {Type: AWS::Lambda::Function, Properties: {FunctionName: a, Runtime: python3.13, Layers: [!Sub "arn:${AWS::Partition}:lambda:${AWS::Region}:017000801446:layer:P:7"]}}
  B: {Type: AWS::Lambda::Function, Properties: {FunctionName: b, Runtime: python3.13, Layers: !Ref Layers}}
  C: {Type: AWS::Lambda::Function, Properties: {FunctionName: c, Runtime: python3.13, Layers: [!FindInMap [Same, !Ref AWS::Region, arn]]}}
  D: {Type: AWS::Lambda::Function, Properties: {FunctionName: d, Runtime: python3.13, Layers: [!Ref Deps, !FindInMap [Differs, !Ref AWS::Region, arn]]}}
  E: {Type: AWS::Lambda::Function, Properties: {FunctionName: e, Runtime: python3.13, Layers: [!Join [":", [arn:aws:lambda, !Ref "AWS::Region", !Ref "AWS::AccountId", layer:own:3]]]}}
  F: {Type: AWS::Lambda::Function, Properties: {FunctionName: f, Runtime: python3.13, Layers: [!Ref Deps, "{{resolve:ssm:/layers/x}}"]}}
"""
    found = init(DEPS | template(layers, head))
    assert {name: entry["layers"] for name, entry in found.functions.items()} == {
        "a": ["arn:aws:lambda:{region}:017000801446:layer:P:7"],
        "b": [
            "arn:aws:lambda:eu-west-1:111122223333:layer:one:1",
            "arn:aws:lambda:eu-west-1:111122223333:layer:two:2",
        ],
        "c": [POWERTOOLS.format("{region}")],
        "d": ["Deps"],
        "e": ["arn:aws:lambda:{region}:${ACCOUNT_ID}:layer:own:3"],
        "f": ["Deps"],
    }
    assert "template.yaml:11: a layer of d: mapping Differs differs by region; add its ARN" in found.fill
    assert "layer {{resolve:ssm:/layers/x}} of f: neither a layer nor its ARN" in found.left


def test_a_mapping_by_region_has_the_value_of_the_known_region(init):
    head = "Mappings: {M: {eu-west-1: {arn: 'arn:aws:lambda:eu-west-1:580247275435:layer:Insights:2'}}}\n"
    found = init(
        DEPS
        | STACK
        | template(
            function("Api", "FunctionName: api").replace(
                "!Ref Deps", "!FindInMap [M, !Ref 'AWS::Region', arn]"
            ),
            head,
        )
    )
    assert found.functions["api"]["layers"] == ["arn:aws:lambda:eu-west-1:580247275435:layer:Insights:2"]


def test_samconfig_sets_parameters_and_other_environments_are_reported(init):
    config = """\
version = 0.1
[default.global.parameters]
stack_name = "shop"
[default.deploy.parameters]
region = "eu-central-1"
parameter_overrides = "Stage=\\"live\\" ParameterKey=Team,ParameterValue=blue"
[prod.deploy.parameters]
stack_name = "shop-prod"
"""
    head = "Parameters: {Stage: {Type: String, Default: dev}, Team: {Type: String}}\n"
    found = init(
        DEPS
        | {"samconfig.toml": config}
        | template(function("Api", "FunctionName: !Sub '${Team}-${Stage}-${AWS::StackName}'"), head)
    )
    assert names(found) == ["blue-live-shop"]
    assert found.regions == ["eu-central-1"]
    assert "samconfig.toml:3: stack_name: shop" in found.taken
    assert "samconfig.toml: prod: other environments have other stacks" in found.left


def test_a_template_in_json(init):
    resources = {
        "Deps": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"LayerName": "deps", "Content": "deps", "CompatibleRuntimes": ["python3.12"], "Description": r"a\/b"},
        },
        "Api": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"FunctionName": {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "api"]]}, "Runtime": "python3.12", "Layers": [{"Ref": "Deps"}]},
        },
    }  # fmt: skip
    found = init(DEPS | STACK | {"template.json": json.dumps({"Resources": resources}, indent="\t")})
    assert found.layers["deps"]["runtimes"] == ["python3.12"]
    assert found.functions == {"shop-api": {"layers": ["deps"]}}
    assert "template.json:14: function shop-api" in found.taken


def test_a_template_of_another_name(init):
    found = init(DEPS | {"stack.yml": template(function("Api", "FunctionName: api"))["template.yaml"]})
    assert found.functions == {"api": {"layers": ["Deps"]}}
    config = '[default.build.parameters]\ntemplate_file = "infra/sam.yaml"\n'
    sam = template(function("Other", "FunctionName: other"))["template.yaml"].replace("deps/", "../deps/")
    (found.folder / "lambda-layers.yml").unlink()
    found = init({"samconfig.toml": config, "infra/sam.yaml": sam})
    assert found.functions == {"other": {"layers": ["Deps"]}}
    assert found.layers["Deps"]["requirements"] == "deps/requirements.txt"


def test_a_layer_with_modules_and_data_beside_its_requirements(init):
    files = {
        "deps/helper.py": "X = 1\n",
        "deps/schemas/a.json": "{}",
        "deps/config.json": "{}",
        "deps/tests/test_helper.py": "",
        "deps/requirements-dev.txt": "pytest\n",
        "deps/README.md": "",
        "deps/.env": "SECRET=1",
    }
    found = init(DEPS | files | template(function("Api", "FunctionName: api")))
    assert found.layers["Deps"]["include"] == ["deps/config.json", "deps/helper.py", "deps/schemas"]
    assert "README.md, tests: for development" in found.left


def test_layers_that_are_not_of_python_are_reported(init):
    resources = """\
  Made: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: makefile}, Properties: {ContentUri: made/, CompatibleRuntimes: [python3.13]}}
  Node: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: nodejs22.x}, Properties: {ContentUri: node/}}
  S3: {Type: AWS::Lambda::LayerVersion, Properties: {Content: {S3Bucket: b, S3Key: !Ref Key}}}
  Uri: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://bucket/key.zip}}
  Zip: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer.zip}}
  Gone: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: gone/}}
  Files: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: files, CompatibleRuntimes: [python3.13, nodejs22.x]}}
  Empty: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13}, Properties: {ContentUri: empty}}
  Js: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: files, CompatibleRuntimes: [nodejs22.x]}}
  Nested: {Type: AWS::Serverless::Application, Properties: {Location: ./nested/template.yaml}}
  Page: {Type: AWS::Serverless::Function, Properties: {FunctionName: page, Runtime: nodejs22.x, Layers: [!Ref Files]}}
  Api: {Type: AWS::Serverless::Function, Properties: {FunctionName: api, Runtime: python3.13, Layers: [!Ref Made, !Ref Files, !GetAtt Nested.Outputs.Layer]}}
"""
    files = {"made/Makefile": "", "layer.zip": "", "files/bin/tool": "", "empty/requirements.txt": "# none\n"}
    found = init(DEPS | files | template(resources))
    assert list(found.layers) == ["Deps", "Files"]
    assert found.layers["Files"] == {
        "content": "files",
        "runtimes": ["python3.13"],
        "architectures": ["x86_64"],
    }
    assert found.functions == {"api": {"layers": ["Files"]}}
    for line in (
        "template.yaml:4: layer Made: BuildMethod makefile",
        "template.yaml:5: layer Node: BuildMethod nodejs22.x",
        "template.yaml:6: layer S3: its content is an archive in S3",
        "template.yaml:7: layer Uri: its content is s3://bucket/key.zip",
        "template.yaml:8: layer Zip: layer.zip is an archive",
        "template.yaml:9: layer Gone: gone not found",
        "template.yaml:11: layer Empty: empty/requirements.txt names no packages",
        "template.yaml:12: layer Js: it is for nodejs22.x",
        "template.yaml:13: nested stack Nested (./nested/template.yaml): run init for its template",
        "template.yaml:14: function page: its runtime is nodejs22.x",
        "template.yaml:15: layer Made of api: it is not in the manifest",
    ):
        assert line in found.left
    assert "a layer of api: Nested is not a layer of this template; add its ARN" in found.fill


def test_a_packed_folder_whose_packages_a_script_installs(init):
    resources = "  Own: {Type: AWS::Serverless::LayerVersion, Properties: {LayerName: own, ContentUri: own, CompatibleRuntimes: [python3.13]}}\n"
    found = init(
        DEPS
        | {"own/python/requirements.txt": "jinja2\n", "own/python/mod.py": "", "own/bin/tool": ""}
        | template(resources)
    )
    assert found.layers["own"]["requirements"] == "own/python/requirements.txt"
    assert found.layers["own"]["include"] == ["own/python/mod.py"]
    assert "own has bin; move what is for /opt to its own folder, named as `content`" in found.fill
    (found.folder / "lambda-layers.yml").unlink()
    found = init({"own/python/jinja2-3.1.dist-info/METADATA": ""})
    assert found.layers["own"]["content"] == "own"  # its packages are committed


def test_old_runtimes_are_kept_and_reported(init):
    resources = """\
  Old: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.8}, Properties: {LayerName: old, ContentUri: deps/, CompatibleRuntimes: [python3.8]}}
  Wide: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.9}, Properties: {LayerName: wide, ContentUri: deps/, CompatibleRuntimes: [python3.8, python3.9]}}
  Api: {Type: AWS::Serverless::Function, Properties: {FunctionName: api, Runtime: python3.8, Layers: [!Ref Old]}}
"""
    found = init(DEPS | template(resources), loads=False)
    assert found.layers["old"]["runtimes"] == ["python3.8"]
    assert found.layers["wide"]["runtimes"] == ["python3.9"]
    assert found.functions == {"api": {"layers": ["old"]}}
    assert (
        "python3.8 is not supported here: AWS deprecated it on 2024-10-14, blocks new functions from 2027-02-01 and updates from 2027-03-03"
        in found.fill
    )
    assert (
        "python3.9: deprecated since 2025-12-15; AWS blocks updates of its functions from 2027-03-03"
        in found.taken
    )
    assert "python3.8: AWS deprecated it on 2024-10-14" in found.left
    assert "'python3.8' is not a supported runtime" in problems_of(found.folder)


def test_who_may_use_a_layer(init):
    resources = """\
  One: {Type: AWS::Lambda::LayerVersionPermission, Properties: {LayerVersionArn: !Ref Deps, Action: lambda:GetLayerVersion, Principal: "111122223333"}}
  All: {Type: AWS::Lambda::LayerVersionPermission, Properties: {LayerVersionArn: !Ref Deps, Action: lambda:GetLayerVersion, Principal: "*", OrganizationId: o-abcdefghij}}
"""
    found = init(DEPS | template(resources))
    assert found.layers["Deps"]["share"] == {"accounts": ["111122223333"], "organization": "o-abcdefghij"}


def test_a_function_without_a_known_runtime(init):
    head = "Parameters: {Runtime: {Type: String}}\n"
    found = init(
        DEPS | template(function("Api", "FunctionName: api").replace("python3.13", "!Ref Runtime"), head)
    )
    assert found.functions == {"api": {"layers": ["Deps"]}}
    assert "function Api: its runtime is not known; check those of its layers" in found.fill


def test_nothing_outside_the_repository_is_read(init, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "requirements.txt").write_text("secret-package\n")
    files = template(function("Api", "FunctionName: api").replace("Deps", "Out"))["template.yaml"]
    out = "  Out: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13}, Properties: {ContentUri: ../outside}}\n"
    found = init(
        DEPS
        | {
            "template.yaml": files + out,
            "samconfig.toml": '[default.build.parameters]\ntemplate_file = "../outside/t.yaml"\n',
        }
    )
    assert "secret-package" not in found.text
    assert "layer Out: ../outside is outside the repository" in found.left


def test_other_templates_are_reported(init):
    sam = template(function("Api", "FunctionName: api"))["template.yaml"]
    files = {
        "other.yaml": sam,
        "helm.yaml": "Resources: {{ if .x }} AWS::Lambda::Function",
        "plain.yml": "Resources: {A: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.13}}}\n",
        "services/mails/template.yaml": sam,
        "services/shop/serverless.yml": "service: shop\n",
        "node_modules/x/serverless.yml": "service: x\n",
        "cdk.json": "{}",
    }
    found = init(DEPS | files | {"template.yaml": sam})
    assert found.functions == {"api": {"layers": ["Deps"]}}
    for line in (
        "other.yaml: init reads one template; move the other one to read this one",
        "helm.yaml: helm.yaml:1:",
        "services/mails/template.yaml: to read it, run: lambda-layers init --manifest services/mails/lambda-layers.yml",
        "services/shop/serverless.yml: to read it, run: ",
        "cdk.json: CDK apps are programs",
    ):
        assert line in found.left
    assert "node_modules" not in found.printed


def test_what_the_stack_keeps(init):
    resources = function(
        "Api", "FunctionName: api, AutoPublishAlias: live, DeploymentPreference: {Type: AllAtOnce}"
    )
    resources += "".join(
        f"  F{each}: {{Type: AWS::Serverless::Function, Properties: {{FunctionName: f{each}, Runtime: python3.13}}}}\n"
        for each in range(7)
    )
    resources += "  Fn::ForEach::More: [Name, [a, b], {}]\n"
    found = init(DEPS | template(resources))
    assert found.functions == {"api": {"layers": ["Deps"], "aliases": ["live"]}}
    assert "DeploymentPreference of Api: `rollout` has waves, canaries and alarms" in found.left
    assert "template.yaml:5: functions without layers: f0, f1, f2, f3, f4 and 2 more" in found.left
    assert "template.yaml:12: Fn::ForEach::More: it is expanded at deployment" in found.left
    assert (
        "template.yaml: the tool that deploys these functions resets their layers: remove `functions:` and give it the ARNs of `export:`"
        in found.fill
    )


def test_an_arn_made_of_parameters_and_conditions(init):
    head = """\
Parameters:
  Version: {Type: Number, Default: 25}
  Runtime: {Type: String, Default: python3.12}
  Architecture: {Type: String, Default: arm64}
Conditions: {Arm: !Equals [!Ref Architecture, arm64]}
"""
    resources = """\
  Own: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: !Ref Runtime}, Properties: {ContentUri: deps/, CompatibleRuntimes: [!Ref Runtime], CompatibleArchitectures: [!Ref Architecture]}}
  Api:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: api
      Runtime: !Ref Runtime
      Architectures: [!Ref Architecture]
      Layers:
        - !Ref Own
        - !Sub
          - "arn:aws:lambda:${AWS::Region}:753240598075:layer:${Adapter}:${Version}"
          - Adapter: !If [Arm, LambdaAdapterLayerArm64, LambdaAdapterLayerX86]
"""
    found = init(DEPS | template(resources, head))
    assert found.layers["Own"] == {
        "requirements": "deps/requirements.txt",
        "runtimes": ["python3.12"],
        "architectures": ["arm64"],
    }
    assert found.functions["api"]["layers"] == [
        "Own",
        "arn:aws:lambda:{region}:753240598075:layer:LambdaAdapterLayerArm64:25",
    ]


def test_samconfig_in_yaml(init):
    config = "version: 0.1\ndefault:\n  deploy:\n    parameters:\n      stack_name: shop\n      parameter_overrides: [Stage=live]\n"
    head = "Parameters: {Stage: {Type: String}}\n"
    api = function("Api", "FunctionName: !Sub '${AWS::StackName}-${Stage}'")
    found = init(DEPS | {"samconfig.yaml": config} | template(api, head))
    assert names(found) == ["shop-live"]
    assert "samconfig.yaml:5: stack_name: shop" in found.taken


def test_unknown_settings_of_a_layer(init):
    head = "Parameters: {Arch: {Type: String}}\n"
    resources = """\
  Own: {Type: AWS::Serverless::LayerVersion, Properties: {LayerName: !ImportValue name, ContentUri: files, LicenseInfo: !ImportValue l, CompatibleRuntimes: [provided.al2023]}}
  Job: {Type: AWS::Serverless::Function, Properties: {FunctionName: job, Runtime: provided.al2023, Architectures: [!Ref Arch], Layers: [!Ref Own]}}
"""
    found = init(DEPS | {"files/bin/tool": ""} | template(resources, head))
    assert found.layers["Own"] == {
        "content": "files",
        "runtimes": ["provided.al2023"],
        "architectures": ["x86_64"],
    }
    assert found.functions == {"job": {"layers": ["Own"]}}
    assert "layer Own: LayerName: Fn::ImportValue is evaluated at deployment" in found.fill
    assert "layer Own: LicenseInfo: Fn::ImportValue is evaluated at deployment" in found.fill
    assert "architecture ${Arch} is not known; add it to `architectures`" in found.fill


def test_functions_without_an_architecture_are_for_x86_64(init):
    found = init(
        DEPS
        | template(
            function("A", "FunctionName: a") + function("B", "FunctionName: b, Architectures: [arm64]")
        )
    )
    assert found.layers["Deps"]["architectures"] == ["x86_64", "arm64"]


def test_the_name_of_a_layer_of_files_is_kept_for_several_platforms(init):
    resources = "  Files: {Type: AWS::Serverless::LayerVersion, Properties: {LayerName: files, ContentUri: files, CompatibleRuntimes: [python3.12, python3.13]}}\n"
    found = init(DEPS | {"files/bin/tool": ""} | template(resources))
    assert found.layers["files"]["name"] == "files"


def test_a_mapping_that_refers_to_itself(init):
    head = "Mappings: {M: {a: {b: !FindInMap [M, a, b]}}}\n"
    found = init(DEPS | STACK | template(function("Api", "FunctionName: !FindInMap [M, a, b]"), head))
    assert list(found.functions) == ["Api"]
    assert "mapping M has no a.b" in found.taken
