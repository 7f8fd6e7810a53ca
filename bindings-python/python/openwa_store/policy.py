"""The rules of a store, which need no store: dates, addresses, permissions, API keys, statuses, webhooks."""

from . import _native

_rules = _native._rules()
globals().update(_rules)
__all__ = sorted(_rules)
del _rules
