"""Kernelist: composes, builds, boots, inspects and grades kernels."""
