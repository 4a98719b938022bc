"""An AWS in this process: strict about Lambda, moto for the rest, on loopback only."""
