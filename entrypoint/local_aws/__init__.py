"""An AWS in this process, on loopback only: a strict Lambda, and moto for the other services.

Start it with `entrypoint.local_aws.server.LocalAws`; importing this package alone loads nothing.
"""
