"""What tests on several hosts share with those that hurt one."""

from tests.faults.conftest import tell

__all__ = ["tell"]
