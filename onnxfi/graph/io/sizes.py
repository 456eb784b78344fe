"""Sizes in bytes at which models are stored and read in another way."""

from __future__ import annotations

PROTOBUF_BYTES = 2**31 - 1
"""The most that one message, and so one model file, holds."""

CHUNK_BYTES = 64 << 20
"""Data files are written in pieces of this size."""

MAPPED_BYTES = 16 << 20
"""From here on files are mapped into memory instead of read: what nobody looks at costs none."""

HELD_BYTES = 1 << 20
"""From here on new data of external tensors is held outside of the message."""
