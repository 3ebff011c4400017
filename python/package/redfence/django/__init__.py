"""Fencing with Django. Put ``redfence.django`` into ``INSTALLED_APPS`` and migrate for the table of `admit`."""

from ._admit import admit
from ._guarded import NotGuarded, guarded

__all__ = ["NotGuarded", "admit", "guarded"]
