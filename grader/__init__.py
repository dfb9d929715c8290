"""Kernelist: composes, builds, boots, inspects and grades kernels."""

VERSION = "0.1.0"
