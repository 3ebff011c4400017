"""Models whose rows refuse stale tokens."""

from __future__ import annotations

from typing import Any

from django.db import connections, models, router, transaction

from .._errors import StaleToken
from ._guarded import token_now


class FencedQuerySet(models.QuerySet):
    """``update`` and ``delete`` under a token."""

    def update(self, **values: Any) -> int:
        """Updates these rows if none of them has a greater token; else raises `StaleToken` and updates none."""
        token = token_now(self.model.__name__)
        with transaction.atomic(using=self.db):
            count = self._writable(token)._update_as(fencing_token=token, **values)
            self._refuse_stale(token)
            return count

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """Deletes these rows if none of them has a greater token; else raises `StaleToken` and deletes none.

        Their tokens go with them: an older holder may insert a row again. Mark rows as deleted instead where that matters.
        """
        token = token_now(self.model.__name__)
        with transaction.atomic(using=self.db):
            # Locks the rows, so that no other transaction writes before the end of this one.
            self._writable(token)._update_as(fencing_token=token)
            self._refuse_stale(token)
            deleted: tuple[int, dict[str, int]] = super().delete()
            return deleted

    delete.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(
        self,
        objs: Any,
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> list[Any]:
        """Inserts new rows, which carry the token of the block. With `update_conflicts` it is refused: nothing would compare
        the tokens of the rows that are there.
        """
        if update_conflicts:
            raise NotImplementedError("bulk_create(update_conflicts=True) is not fenced: use save() in one atomic block")
        token, rows = token_now(self.model.__name__), list(objs)
        for row in rows:
            row.fencing_token = token
        created: list[Any] = super().bulk_create(rows, batch_size, ignore_conflicts, False, *args, **kwargs)
        return created

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        """Not possible: its statement has no place for the token of each row."""
        raise NotImplementedError("bulk_update is not fenced: use update(), or save() in one atomic block")

    def _writable(self, token: int) -> FencedQuerySet:
        rows: FencedQuerySet = self.filter(fencing_token__lte=token)
        return rows

    def _update_as(self, **values: Any) -> int:
        count: int = super().update(**values)
        return count

    def _refuse_stale(self, token: int) -> None:
        # What was stale was not updated, so it is still found by the same conditions.
        # For update, for a plain SELECT reads the snapshot in MySQL.
        stale = self.filter(fencing_token__gt=token).order_by("-fencing_token").select_for_update()
        newer = stale.values_list("pk", "fencing_token").first()
        if newer is not None:
            raise StaleToken(f"{self.model._meta.label} {newer[0]}", token, newer[1])


class Fenced(models.Model):
    """A model whose rows have a token column: ``save``, ``delete`` and ``update`` are made under `guarded`.

    A save carries the token into its UPDATE, so check and write are one step; a stale one raises `StaleToken`. All
    writers of a row have to hold the lock of one and the same name.
    """

    fencing_token = models.BigIntegerField(default=0, editable=False)

    objects = FencedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves under the token of the block. Raises `StaleToken`, `LostError` and `NotGuarded`."""
        if len(args) > 3:
            # Django takes it by its position, too.
            args, kwargs["update_fields"] = args[:3], args[3]
        earlier = self.fencing_token
        self.fencing_token = token_now(type(self).__name__)
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "fencing_token"}
        try:
            super().save(*args, **kwargs)
        except BaseException:
            self.fencing_token = earlier
            raise

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Deletes the row unless it has a greater token; then raises `StaleToken`. See `FencedQuerySet.delete`."""
        using = using or router.db_for_write(type(self), instance=self)
        token = token_now(type(self).__name__)
        with transaction.atomic(using=using):
            FencedQuerySet(type(self), using=using).filter(pk=self.pk).update()
            deleted: tuple[int, dict[str, int]] = super().delete(using=using, keep_parents=keep_parents)
            self.fencing_token = token
            return deleted

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, *rest: Any, **more: Any) -> Any:
        is_mine = any(field.name == "fencing_token" for field in base_qs.model._meta.local_concrete_fields)
        if not is_mine:
            return super()._do_update(base_qs, using, pk_val, *rest, **more)
        token = self.fencing_token
        updated = super()._do_update(base_qs.filter(fencing_token__lte=token), using, pk_val, *rest, **more)
        if not updated:
            rows = base_qs.filter(pk=pk_val)
            if connections[using].in_atomic_block:
                # A plain SELECT reads the snapshot in MySQL.
                rows = rows.select_for_update()
            highest = rows.values_list("fencing_token", flat=True).first()
            if highest is not None and highest > token:
                raise StaleToken(f"{self._meta.label} {pk_val}", token, highest)
        return updated
