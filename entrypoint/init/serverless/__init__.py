"""serverless.yml of the Serverless Framework and osls, with serverless-python-requirements."""
