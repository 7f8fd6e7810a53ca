"""The base of the enums; `enum.StrEnum` for Python 3.10 too."""

from enum import Enum


class StrEnum(str, Enum):
    """An enum whose members are strings: `SessionStatus.READY == "ready"`."""

    def __new__(cls, value: str) -> "StrEnum":
        member = str.__new__(cls, value)
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)
