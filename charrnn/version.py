"""The version of the package, for checkpoints and the command line."""

__version__ = "0.1.0"
