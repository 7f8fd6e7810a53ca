"""The base of the enums; `enum.StrEnum` for Python 3.10 too."""

from enum import Enum


class StrEnum(str, Enum):
    """An enum whose members are strings: `SessionStatus.READY == "ready"`."""

    __str__ = str.__str__
    __format__ = str.__format__
