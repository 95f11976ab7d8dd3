"""Decoders of firewall."""

from __future__ import annotations
