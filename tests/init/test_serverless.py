"""serverless.yml as the frameworks document it: each layer, function and setting is in the manifest, or reported.

https://www.serverless.com/framework/docs/guides/variables
https://www.serverless.com/plugins/serverless-python-requirements
"""

import json

import pytest

ARN = "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:7"
HEAD = """\
service: shop
provider: {name: aws, runtime: python3.12, region: eu-west-1}
"""
PLUGIN = "plugins: [serverless-python-requirements]\n"
REQUIREMENTS = {"requirements.txt": "jinja2\n"}
USED = "functions: {api: {handler: a.b, layers: [{Ref: PythonRequirementsLambdaLayer}]}}\n"


def custom(settings):
    return f"custom: {{pythonRequirements: {settings}}}\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${opt:name, 'given'}", "given"),
        ('${opt:name, "given"}', "given"),
        ("${env:NAME, 'x'}-${self:custom.word}", "x-word"),
        ("${opt:a, env:B, self:custom.word, 'never'}", "word"),
        ("${self:custom.names.${opt:stage, 'dev'}}", "name-of-dev"),
        ("${self:custom.names.${sls:stage}, 'other'}", "name-of-dev"),
        ("${self:custom.names.missing, 'other'}", "other"),
        ("${self:custom.list.1}", "second"),
        ("${self:service}-${self:provider.stage}-x", "shop-dev-x"),
        ("${file(./settings.yml):name}", "from-yaml"),
        ("${file(settings.json):deep.name}", "from-json"),
        ("${file(${self:custom.path}):name, 'x'}", "from-yaml"),
        ("${file(./missing.yml):name, 'default-of-file'}", "default-of-file"),
        ("${param:word}", "parameter-of-dev"),
        ("${param:general}", "general"),
        ("${param:newer}-${param:of-all}", "of-stage-all"),
        ("${sls:stage}-x", "dev-x"),
        ("${opt:team}-x", "${TEAM}-x"),
        ("${env:TEAM}-x", "${TEAM}-x"),
        ("plain", "plain"),
    ],
)
def test_variables(init, value, expected):
    service = f"""\
service: shop
provider: {{name: aws, runtime: python3.12, region: eu-west-1, stage: "${{opt:stage, 'dev'}}"}}
params: {{default: {{word: parameter, general: general}}, dev: {{word: parameter-of-dev}}}}
stages: {{default: {{params: {{newer: of-default, of-all: all}}}}, dev: {{params: {{newer: of-stage}}}}}}
custom:
  word: word
  path: settings.yml
  names: {{dev: name-of-dev}}
  list: [first, second]
functions:
  api: {{handler: a.b, name: {json.dumps(value)}, layers: ["{ARN}"]}}
"""
    files = {"settings.yml": "name: from-yaml\n", "settings.json": '{"deep": {"name": "from-json"}}'}
    assert list(init(files | {"serverless.yml": service}).functions) == [expected]


def test_the_environment_of_this_machine_is_never_read(init, monkeypatch):
    monkeypatch.setenv("TEAM", "secret-of-this-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-this-machine")
    names = {"a": "${env:TEAM}", "b": "${env:TEAM, 'x'}", "c": "${env:AWS_SECRET_ACCESS_KEY}-c"}
    functions = {key: {"name": name, "layers": [ARN]} for key, name in names.items()}
    found = init({"serverless.yml": HEAD + f"functions: {json.dumps(functions)}\n"})
    assert "secret" not in found.text
    assert {"${TEAM}", "x"} <= set(found.functions)
    tags = {"aws:cloudformation:stack-name": "shop-dev", "aws:cloudformation:logical-id": "CLambdaFunction"}
    assert found.functions["c"] == {"tag": tags, "layers": [ARN]}
    assert (
        "c is selected by its stack's tags: ${env:AWS_SECRET_ACCESS_KEY} has no value in the repository"
        in found.taken
    )


@pytest.mark.parametrize("path", ["../outside.yml", "{outside}", "link.yml"])
def test_files_outside_the_repository_are_never_read(init, tmp_path, path):
    outside = tmp_path / "outside.yml"
    outside.write_text("name: secret-of-this-machine\n")
    (tmp_path / "project" / "link.yml").symlink_to(outside)
    name = "${file(%s):name}" % path.format(outside=outside)  # noqa: UP031 - braces
    found = init({"serverless.yml": HEAD + f'functions: {{api: {{name: "{name}", layers: ["{ARN}"]}}}}\n'})
    assert "secret" not in found.text + found.printed
    assert "is outside the repository" in found.printed


def test_variables_that_refer_to_each_other(init):
    service = 'custom: {a: "${self:custom.b}", b: "${self:custom.a}", all: "${self:custom}"}\n'
    service += (
        f'functions: {{api: {{name: "${{self:custom.a}}", layers: ["{ARN}"]}}, b: {{layers: ["{ARN}"]}}}}\n'
    )
    assert "its variables refer to each other" in init({"serverless.yml": HEAD + service}).printed


def test_functions_and_layers_from_files_and_lists(init):
    service = (
        HEAD
        + """\
layers: ${file(layers.yml)}
functions:
  - ${file(functions/api.yml)}
  - ${file(functions/cron.json):functions}
  - local: {handler: a.b, layers: [!Ref OpsLambdaLayer]}
"""
    )
    files = {
        "layers.yml": "ops: {path: ops}\n",
        "ops/requirements.txt": "idna\n",
        "functions/api.yml": "api:\n  handler: a.b\n  layers:\n    - {Ref: OpsLambdaLayer}\n",
        "functions/cron.json": '{"functions": {"cron": {"handler": "a.b", "layers": [{"Ref": "OpsLambdaLayer"}]}}}',
    }
    found = init(files | {"serverless.yml": service})
    assert list(found.functions) == ["shop-dev-api", "shop-dev-cron", "shop-dev-local"]
    assert found.layers["ops"]["requirements"] == "ops/requirements.txt"
    assert "functions/api.yml:1: function shop-dev-api" in found.taken


def test_settings_of_layers(init):
    service = HEAD + PLUGIN + custom(
        "{dockerizePip: non-linux, dockerImage: my/image, slim: true, strip: true, zip: true, useStaticCache: false,"
        " noDeploy: [boto3, pytest], slimPatterns: ['**/*.md', '**/*.dist-info*'], pipCmdExtraArgs: [--no-deps], other: 1,"
        " layer: {name: shop-deps, description: packages of the shop, licenseInfo: MIT, allowedAccounts: ['*'],"
        " compatibleRuntimes: [python3.12, python3.13], compatibleArchitectures: [arm64]}}"
    ) + """\
layers:
  my-tools:
    path: ops
    name: ${self:service}-${sls:stage}-ops
    description: tools for operators
    licenseInfo: Apache-2.0
    allowedAccounts: ["123456789012", "111122223333"]
    retain: true
    compatibleRuntimes: [python3.12]
  old: {path: old, retain: false, package: {patterns: ["!x"]}}
package: {patterns: ["!node_modules/**"]}
functions:
  api: {handler: a.b, architecture: arm64, layers: [{Ref: PythonRequirementsLambdaLayer}, {Ref: MyDashtoolsLambdaLayer}, {Ref: OldLambdaLayer}]}
"""  # fmt: skip
    found = init(
        REQUIREMENTS | {"ops/requirements.txt": "idna\n", "old/lib/x.so": "", "serverless.yml": service}
    )
    assert found.layers["shop-dev-ops"] == {
        "requirements": "ops/requirements.txt",
        "runtimes": ["python3.12"],
        "architectures": ["arm64"],
        "description": "tools for operators",
        "license": "Apache-2.0",
        "share": {"accounts": ["123456789012", "111122223333"]},
    }
    assert found.layers["shop-deps"] == {
        "requirements": "requirements.txt",
        "runtimes": ["python3.12", "python3.13"],
        "architectures": ["arm64"],
        "description": "packages of the shop",
        "license": "MIT",
        "share": {"public": True},
        "exclude": ["**/*.md"],
        "exclude_packages": ["boto3", "pytest"],
        "strip": True,
    }
    assert found.layers["old"]["content"] == "old"
    assert found.functions == {"shop-dev-api": {"layers": ["shop-deps", "shop-dev-ops", "old"]}}
    for setting in (
        "dockerizePip",
        "dockerImage",
        "zip",
        "pipCmdExtraArgs",
        "other",
        "slimPatterns **/*.dist-info*",
        "slim:",
        "retain",
        "package patterns",
    ):
        assert setting in found.left
    assert "to keep its name shop-deps in AWS, choose one runtime and architecture" in found.fill


def test_the_default_name_of_the_plugins_layer(init):
    found = init(
        REQUIREMENTS
        | {"serverless.yml": HEAD + PLUGIN + custom("{layer: true, strip: false, slim: true}") + USED}
    )
    assert found.layers["python-requirements"]["name"] == "shop-dev-python-requirements"
    assert "strip" not in found.layers["python-requirements"]
    assert [layer.name_template for layer in found.manifest.layers.values()] == [
        "shop-dev-python-requirements"
    ]


def test_packages_that_the_plugin_packs_into_functions(init):
    service = (
        HEAD
        + PLUGIN
        + "functions: {api: {handler: a.b}, page: {handler: c.d, runtime: nodejs22.x}, box: {image: x}}\n"
    )
    found = init(REQUIREMENTS | {"serverless.yml": service})
    assert found.layers["python-requirements"]["requirements"] == "requirements.txt"
    assert found.functions == {"shop-dev-api": {"layers": ["python-requirements"]}}
    assert "remove serverless-python-requirements from the service" in found.fill


def test_modules_with_requirements_of_their_own(init):
    service = HEAD + PLUGIN + """\
package: {individually: true}
functions:
  orders: {handler: a.b, module: services/orders}
  orders-late: {handler: a.c, module: services/orders, runtime: python3.13}
  mails: {handler: a.b, module: services/mails}
  plain: {handler: a.b, module: services/plain}
"""  # fmt: skip
    found = init(
        {
            "serverless.yml": service,
            "services/orders/requirements.txt": "jinja2\n",
            "services/mails/requirements.txt": "idna\n",
        }
    )
    assert {name: layer["requirements"] for name, layer in found.layers.items()} == {
        "services-orders": "services/orders/requirements.txt",
        "services-mails": "services/mails/requirements.txt",
    }
    assert found.layers["services-orders"]["runtimes"] == ["python3.12", "python3.13"]
    assert found.functions == {
        "shop-dev-orders": {"layers": ["services-orders"]},
        "shop-dev-orders-late": {"layers": ["services-orders"]},
        "shop-dev-mails": {"layers": ["services-mails"]},
    }
    assert "services/plain/requirements.txt not found" in found.left


@pytest.mark.parametrize(
    ("settings", "files", "expected", "note"),
    [
        ("{usePoetry: true, layer: true}", {"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.12'\njinja2 = '^3'\n"}, "requirements.txt", "poetry export"),
        ("{layer: true, poetryWithGroups: [web]}", {"pyproject.toml": "[tool.poetry.dependencies]\njinja2 = '^3'\n"}, "requirements.txt", "--with web"),
        ("{usePoetry: false, layer: true}", REQUIREMENTS | {"pyproject.toml": "[tool.poetry.dependencies]\njinja2 = '^3'\n"}, "requirements.txt", "the packages of requirements.txt"),
        ("{layer: true}", {"Pipfile": "[packages]\njinja2 = '*'\n"}, "requirements.txt", "pipenv requirements > requirements.txt"),
        ("{useUv: true, layer: true}", {"uv.lock": "version = 1\n", "pyproject.toml": "[project]\nname = 'x'\ndependencies = ['jinja2']\n"}, "pyproject.toml", "the versions of uv.lock"),
        ("{layer: true}", {"pyproject.toml": "[project]\nname = 'x'\ndependencies = ['jinja2']\n"}, "pyproject.toml", "the dependencies of [project]"),
        ("{layer: true, fileName: reqs/prod.txt}", {"reqs/prod.txt": "jinja2\n"}, "reqs/prod.txt", "the packages of reqs/prod.txt"),
    ],
)  # fmt: skip
def test_where_the_plugin_takes_requirements_from(init, settings, files, expected, note):
    found = init(files | {"serverless.yml": HEAD + PLUGIN + custom(settings) + USED}, loads=False)
    assert found.layers["python-requirements"]["requirements"] == expected
    assert note in found.printed
    assert "requests" not in found.text


def test_nothing_is_invented(init):
    found = init({"serverless.yml": HEAD + f'functions: {{api: {{handler: a.b, layers: ["{ARN}"]}}}}\n'})
    assert found.layers == {}
    assert found.functions == {"shop-dev-api": {"layers": [ARN]}}
    (found.folder / "lambda-layers.yml").unlink()
    found = init({"serverless.yml": HEAD + PLUGIN + "functions: {api: {handler: a.b}}\n"})
    assert found.layers == {}
    assert (
        "serverless.yml:3: layer python-requirements: requirements.txt not found, and no project file has requirements"
        in found.left
    )


def test_arns_with_the_region_and_the_account(init):
    service = HEAD + """\
functions:
  a: {layers: ["arn:aws:lambda:${aws:region}:017000801446:layer:P:7"]}
  b: {layers: ["arn:aws:lambda:${self:provider.region}:${aws:accountId}:layer:own:7"]}
  c: {layers: [!Sub "arn:aws:lambda:${AWS::Region}:017000801446:layer:P:7"]}
  e: {layers: "${ssm:/layers/all}"}
  d: {layers: ["${cf:other-stack.LayerArn}", "${ssm:/layers/x}", !ImportValue other]}
"""  # fmt: skip
    found = init({"serverless.yml": service})
    assert [entry["layers"] for entry in found.functions.values()] == [
        ["arn:aws:lambda:{region}:017000801446:layer:P:7"],
        ["arn:aws:lambda:eu-west-1:${ACCOUNT_ID}:layer:own:7"],
        ["arn:aws:lambda:{region}:017000801446:layer:P:7"],
    ]
    assert "a layer of shop-dev-d: it is an output of another stack; add its ARN" in found.fill
    assert "a layer of shop-dev-d: it is read from Systems Manager at deployment; add its ARN" in found.fill
    assert "serverless.yml:8: function shop-dev-d: the manifest has none of its layers" in found.left


def test_programs_are_reported(init):
    found = init({"serverless.ts": "module.exports = {}", "requirements.txt": "idna\n"})
    assert "serverless.ts: a program: run `serverless print > serverless.yml`, then init" in found.left


def test_an_unknown_runtime_and_region(init):
    service = "service: shop\nprovider: {name: aws, runtime: '${ssm:/runtime}', region: '${opt:region}'}\n"
    found = init(REQUIREMENTS | {"serverless.yml": service + PLUGIN + custom("{layer: true}") + USED})
    assert found.regions is None
    assert "the region is not known; add `regions`" in found.fill
    assert (
        "function api: it is read from Systems Manager at deployment; check the runtimes of its layers"
        in found.fill
    )
    assert "the runtime is not known: python3.13 is a guess" in found.fill


def test_layers_that_init_does_not_read_are_reported(init):
    service = HEAD + """\
plugins: [serverless-layers]
useDotenv: true
custom: {serverless-layers: {dependenciesPath: requirements.txt}}
functions: {api: {handler: a.b, layers: ["%s"]}, cron: {handler: a.b}}
resources:
  - Resources: {Own: {Type: AWS::Lambda::LayerVersion, Properties: {Content: {S3Bucket: b, S3Key: k}}}}
  - ${file(more.js)}
""".replace("%s", ARN)  # fmt: skip
    found = init({"serverless.yml": service})
    assert (
        "serverless.yml:5: the layers of the plugin serverless-layers, which init does not read" in found.fill
    )
    assert "serverless.yml:8: layer Own under resources" in found.left
    assert "serverless.yml:4: the files .env are not read" in found.left
    assert "functions without layers: shop-dev-cron" in found.left


def test_values_of_the_stage_in_a_file(init):
    service = """\
service: shop
custom: {stage: "${opt:stage, 'dev'}", arn: "${file(./conf/${self:provider.stage}.yml):LAYERS.0}"}
provider: {name: aws, runtime: python3.12, stage: "${self:custom.stage}", region: ap-northeast-1}
functions: ["${file(./functions.yml)}"]
"""
    files = {
        "conf/dev.yml": f"LAYERS: ['{ARN}']\n",
        "functions.yml": "api: {handler: a.b, layers: ['${self:custom.arn}']}\n",
    }
    assert init(files | {"serverless.yml": service}).functions == {"shop-dev-api": {"layers": [ARN]}}


def test_variables_that_have_nothing_to_do_with_layers_are_not_reported(init):
    service = """\
service: shop
provider:
  name: aws
  runtime: python3.12
  region: eu-west-1
  environment: {LEVEL: "${env:LEVEL, 'info'}", STAGE: "${self:custom.stage}"}
custom: {stage: dev, other: "${env:OTHER, 'x'}"}
functions:
  api: {handler: a.b, name: "${self:provider.environment.STAGE}-api", layers: ["%s"], environment: {X: "${env:X, 'y'}"}}
""".replace("%s", ARN)  # fmt: skip
    found = init({"serverless.yml": service})
    assert list(found.functions) == ["dev-api"]
    assert "${env:" not in found.printed


def test_unknown_settings_of_a_layer(init):
    service = HEAD + """\
layers: {ops: {path: ops, name: "${ssm:/name}", description: "${cf:x.y}", compatibleArchitectures: ["${opt:arch}"]}}
functions: {api: {handler: a.b, layers: [!Ref OpsLambdaLayer]}}
"""  # fmt: skip
    found = init({"ops/requirements.txt": "idna\n", "serverless.yml": service})
    assert "serverless.yml:3: layer ops: name: it is read from Systems Manager at deployment" in found.fill
    assert "layer ops: description: it is an output of another stack" in found.fill
    assert "architecture ${ARCH} is not known" in found.fill


def test_a_service_for_another_cloud_is_ignored(init):
    found = init(
        {
            "requirements.txt": "idna\n",
            "serverless.yml": "service: x\nprovider: {name: google}\nplugins: [serverless-python-requirements]\n",
        }
    )
    assert list(found.layers) == ["shared"]
    assert "serverless.yml: it has no layers, and no function with layers" in found.left


def test_a_service_with_a_mapping_as_its_name(init):
    service = "service: {name: billing}\nprovider: {name: aws, runtime: python3.12}\n" + PLUGIN
    found = init(
        REQUIREMENTS | {"serverless.yml": service + custom('{layer: {name: "${self:service}-deps"}}') + USED}
    )
    assert list(found.layers) == ["billing-deps"]
    assert found.functions == {"billing-dev-api": {"layers": ["billing-deps"]}}


def test_a_name_that_is_not_known_is_not_replaced(init):
    found = init(
        REQUIREMENTS | {"serverless.yml": HEAD + PLUGIN + custom('{layer: {name: "${ssm:/name}"}}') + USED}
    )
    assert "name" not in found.layers["python-requirements"]
    assert "the layer of the plugin: name: it is read from Systems Manager at deployment" in found.fill
