"""AWS: the only importer of boto3.

`access` has the credentials, `connection` the clients and the pace, `calls` makes each call to Lambda.
`client.Aws` is what the stages use, with one part per kind of resource: `layers`, `functions`, `aliases`,
`concurrency`, `alarms`, `metrics`, `network`, `account`, `parameters`. `model` has the values they return.
Only `accounts.Accounts.client` imports it at run time: boto3 takes longer to import than most commands take.
"""
