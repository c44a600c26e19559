"""loyalty_lab: from a shop's exports to a printed retention playbook."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "open_run"]

if TYPE_CHECKING:
    from loyalty_lab.study import open_run


def __getattr__(name: str) -> Any:
    """Load what notebooks start with only when it is asked for, so that the command line starts fast."""
    if name == "open_run":
        from loyalty_lab.study import open_run

        return open_run
    raise AttributeError(f"module 'loyalty_lab' has no attribute {name!r}")
