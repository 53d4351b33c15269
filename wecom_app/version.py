"""The product's version, read by the build, the command line and the API."""

__version__ = "0.1.0"
