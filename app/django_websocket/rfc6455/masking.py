"""Masking (RFC 6455 section 5.3), by the ``websockets`` library."""

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which websockets has no compiled wheel
    from websockets.utils import apply_mask

__all__ = ["apply_mask"]
