"""The client of ``settings.REDFENCE``, and its check."""

from __future__ import annotations

import functools
from typing import Any

from django.conf import settings
from django.core import checks

from .._client import Redfence
from .._errors import ConfigError


@functools.cache
def client() -> Redfence:
    """The client of ``REDFENCE = {"nodes": [URLs], …}``; the other settings are those of `redfence.Redfence`.

    It connects at the first call, and each process for itself.
    """
    given = dict(getattr(settings, "REDFENCE", {}))
    nodes = given.pop("nodes", None)
    if not nodes:
        raise ConfigError('REDFENCE names no nodes: REDFENCE = {"nodes": ["redis://a:6379", …]} in the settings')
    return Redfence(nodes, **given)


def check(app_configs: Any, **kwargs: Any) -> list[Any]:
    """Refuses settings that `client` would refuse. Connects to nothing."""
    if not hasattr(settings, "REDFENCE"):
        return []
    try:
        client()
    except (ConfigError, TypeError, ValueError) as error:
        return [checks.Error(f"REDFENCE: {error}", id="redfence.E001")]
    return []
