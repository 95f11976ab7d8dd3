"""devicehunt: forensics for the devices at the edge of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devicehunt.api import hunt
    from devicehunt.case import Case

__version__ = "0.1.0"
__all__ = ["Case", "__version__", "hunt"]


def __getattr__(name: str) -> Any:
    """Import the public names late: `devicehunt --help` must not wait for DuckDB."""
    if name == "hunt":
        from devicehunt.api import hunt

        return hunt
    if name == "Case":
        from devicehunt.case import Case

        return Case
    raise AttributeError(f"module 'devicehunt' has no attribute {name!r}")
