"""An AWS in this process: strict about Lambda, moto for the rest, on loopback only.

`from entrypoint.local_aws.server import LocalAws` starts one; importing this package alone loads nothing.
"""
