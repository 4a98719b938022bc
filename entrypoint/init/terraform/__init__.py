"""Terraform configurations: resources of the AWS provider, and the module terraform-aws-modules/lambda."""
