"""The application."""

from django.apps import AppConfig


class RedfenceConfig(AppConfig):
    """The table ``redfence_fence``."""

    name = "redfence.django"
    label = "redfence"
    verbose_name = "redfence"
