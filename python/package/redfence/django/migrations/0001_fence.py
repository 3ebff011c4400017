"""The table of the fences: the highest token of each resource."""

from typing import Any

from django.db import migrations

from redfence.django._admit import statements_of
from redfence.fencing import SQL


def make(apps: Any, editor: Any) -> None:
    editor.execute(SQL[statements_of(editor.connection.vendor)]["migration"])


class Migration(migrations.Migration):
    """Cannot be undone: a fence that is gone lets older holders write."""

    operations = [migrations.RunPython(make)]
