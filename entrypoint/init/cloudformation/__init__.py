"""SAM and CloudFormation templates, and the samconfig.toml beside them."""
