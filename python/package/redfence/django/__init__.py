"""Fencing with Django. Put ``redfence.django`` into ``INSTALLED_APPS`` and migrate for the table of `admit`."""

from ._admit import admit
from ._guarded import NotGuarded, guarded
from ._settings import client

__all__ = ["NotGuarded", "admit", "client", "guarded"]
