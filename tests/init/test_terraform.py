"""Terraform configurations as the AWS provider documents them: layers and functions are in the manifest, or reported."""

import pytest

LAYER = """\
resource "aws_lambda_layer_version" "deps" {
  layer_name               = "deps"
  description              = "packages of the shop"
  license_info             = "MIT"
  filename                 = data.archive_file.deps.output_path
  source_code_hash         = data.archive_file.deps.output_base64sha256
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]
}

data "archive_file" "deps" {
  type        = "zip"
  source_dir  = "${path.module}/deps"
  output_path = "${path.module}/build/deps.zip"
}
"""
DEPS = {"deps/requirements.txt": "jinja2\n"}


def test_resources_of_the_provider(init):
    main = LAYER + """
provider "aws" {
  region = var.region
}
variable "region" {
  default = "eu-west-1"
}
variable "team" {
  type = string
}
locals {
  prefix = "shop-${var.region}"
}
data "aws_region" "current" {}
data "aws_caller_identity" "me" {}

resource "aws_lambda_layer_version_permission" "one" {
  layer_name     = aws_lambda_layer_version.deps.layer_name
  version_number = aws_lambda_layer_version.deps.version
  action         = "lambda:GetLayerVersion"
  principal      = "111122223333"
  statement_id   = "one"
}
resource "aws_lambda_function" "api" {
  function_name = "${local.prefix}-api"
  runtime       = "python3.13"
  architectures = ["arm64"]
  layers = [
    aws_lambda_layer_version.deps.arn,
    "arn:aws:lambda:${data.aws_region.current.name}:017000801446:layer:P:7",
    "arn:aws:lambda:eu-west-1:${data.aws_caller_identity.me.account_id}:layer:own:2",
  ]
  environment {
    variables = { A = "b" }
  }
}
resource "aws_lambda_function" "mails" {
  function_name = "${var.team}-mails"
  architectures = ["arm64"]
  runtime       = "python3.13"
  layers        = [aws_lambda_layer_version.deps[0].arn]
}
"""  # fmt: skip
    found = init(DEPS | {"main.tf": main})
    assert found.layers == {
        "deps": {
            "requirements": "deps/requirements.txt",
            "runtimes": ["python3.13"],
            "architectures": ["arm64"],
            "description": "packages of the shop",
            "license": "MIT",
            "share": {"accounts": ["111122223333"]},
        }
    }
    assert found.functions == {
        "shop-eu-west-1-api": {
            "layers": ["deps", "arn:aws:lambda:{region}:017000801446:layer:P:7", "arn:aws:lambda:eu-west-1:${ACCOUNT_ID}:layer:own:2"]
        },
        "${TEAM}-mails": {"layers": ["deps"]},
    }  # fmt: skip
    assert found.regions == ["eu-west-1"]
    assert "main.tf:39: function shop-eu-west-1-api" in found.taken


def test_the_community_module(init):
    main = """\
module "dependencies" {
  source              = "terraform-aws-modules/lambda/aws"
  create_layer        = true
  create_function     = false
  layer_name          = "dependencies"
  compatible_runtimes = ["python3.13"]
  runtime             = "python3.13"
  build_in_docker     = true
  source_path         = [{ path = "deps", pip_requirements = true, prefix_in_zip = "python" }]
}

module "api" {
  source        = "terraform-aws-modules/lambda/aws"
  version       = "~> 8.0"
  function_name = "api"
  runtime       = "python3.13"
  layers        = [module.dependencies.lambda_layer_arn]
}
"""
    found = init(
        DEPS | {"deps/helper.py": "", "infra/main.tf": main.replace('"deps"', '"${path.module}/../deps"')}
    )
    assert found.layers["dependencies"]["requirements"] == "deps/requirements.txt"
    assert found.layers["dependencies"]["include"] == ["deps/helper.py"]
    assert found.functions == {"api": {"layers": ["dependencies"]}}
    assert "infra/main.tf:12: function api" in found.taken


def test_what_only_terraform_knows_is_reported(init):
    main = LAYER + """
resource "aws_lambda_layer_version" "zip" {
  layer_name = "zip"
  filename   = "build/other.zip"
}
resource "aws_lambda_layer_version" "s3" {
  layer_name = "s3"
  s3_bucket  = aws_s3_bucket.b.id
  s3_key     = "k"
}
resource "aws_lambda_function" "each" {
  for_each      = toset(["a", "b"])
  function_name = "shop-${each.key}"
  runtime       = "python3.13"
  layers        = [aws_lambda_layer_version.deps.arn]
}
resource "aws_lambda_function" "some" {
  function_name = "some"
  runtime       = "python3.13"
  layers        = [aws_lambda_layer_version.deps.arn, aws_lambda_layer_version.zip.arn, module.other.layer_arn]
}
resource "aws_lambda_function" "joined" {
  function_name = "joined"
  runtime       = "python3.13"
  layers        = concat([aws_lambda_layer_version.deps.arn], var.more)
}
resource "aws_lambda_function" "page" {
  function_name = "page"
  runtime       = "nodejs22.x"
  layers        = [aws_lambda_layer_version.deps.arn]
}
"""  # fmt: skip
    found = init(DEPS | {"main.tf": main, "broken.tf": "resource {{{\n"})
    assert list(found.layers) == ["deps"]
    assert found.functions == {"some": {"layers": ["deps"]}}
    for line in (
        "broken.tf: it cannot be read: ",
        "main.tf:17: layer zip: its archive is build/other.zip; name the folder or the requirements",
        "main.tf:21: layer s3: its archive is in S3 or known after deployment",
        "function aws_lambda_function.each (its name is known after deployment)",
        "main.tf:32: layer zip of some: it is not in the manifest",
        "function joined: the manifest has none of its layers",
        "main.tf:42: function page: its runtime is nodejs22.x",
    ):
        assert line in found.left
    assert "a layer of some: module.other.layer_arn is known after deployment; add its ARN" in found.fill


@pytest.mark.parametrize("source", ["../../outside", "/etc"])
def test_nothing_outside_the_repository_is_read(init, tmp_path, source):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "requirements.txt").write_text("secret-package\n")
    found = init({"infra/main.tf": LAYER.replace("${path.module}/deps", source)})
    assert found.layers == {}
    assert "is outside the repository" in found.left


def test_locals_that_refer_to_each_other(init):
    loop = "locals {\n  a = local.b\n  b = local.a\n}\n"
    function = 'resource "aws_lambda_function" "f" {\n  function_name = local.a\n  layers = [aws_lambda_layer_version.deps.arn]\n}\n'
    found = init(DEPS | {"main.tf": LAYER + loop + function})
    assert "function aws_lambda_function.f (its name is known after deployment)" in found.left


def test_values_of_tfvars(init):
    main = (
        LAYER
        + 'variable "stage" {}\nresource "aws_lambda_function" "f" {\n  function_name = "api-${var.stage}"\n  runtime = "python3.13"\n  layers = [aws_lambda_layer_version.deps.arn]\n}\n'
    )
    found = init(
        DEPS | {"main.tf": main, "terraform.tfvars": 'stage = "dev"\n', "x.auto.tfvars": 'stage = "live"\n'}
    )
    assert list(found.functions) == ["api-live"]


def test_locals_that_multiply(init):
    doubled = "".join(f'  a{each + 1} = "${{local.a{each}}}${{local.a{each}}}"\n' for each in range(19))
    loop = 'locals {\n  a0 = "x"\n' + doubled + "}\n"
    function = 'resource "aws_lambda_function" "f" {\n  function_name = local.a19\n  layers = [aws_lambda_layer_version.deps.arn]\n}\n'
    assert "its name is known after deployment" in init(DEPS | {"main.tf": LAYER + loop + function}).left
