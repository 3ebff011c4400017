"""The application."""

from django.apps import AppConfig
from django.core import checks

from ._settings import check


class RedfenceConfig(AppConfig):
    """The table ``redfence_fence``."""

    name = "redfence.django"
    label = "redfence"
    verbose_name = "redfence"

    def ready(self) -> None:
        checks.register(check)
