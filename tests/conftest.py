"""Fixtures that every folder of tests uses."""

from __future__ import annotations
