"""Models whose rows refuse stale tokens, on PostgreSQL, MariaDB and SQLite."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import django_redis.cache
import pymysql
import pytest
from django.conf import settings as conf
from django.db import connections, models, transaction

import redfence
from redfence import StaleToken

conf.configure(INSTALLED_APPS=["redfence.django"], DATABASES={}, USE_TZ=True)
django.setup()

from redfence.django import NotGuarded, admit, guarded  # noqa: E402
from redfence.django.cache import Locking  # noqa: E402
from redfence.django.models import Fenced  # noqa: E402


class Order(Fenced):
    name = models.TextField(unique=True)
    value = models.TextField()

    class Meta:
        app_label = "shop"


class Parcel(Order):
    weight = models.IntegerField()

    class Meta:
        app_label = "shop"


class Lease:
    """A lease with a token of the test's choice."""

    def __init__(self, token: int) -> None:
        self.token = token


@pytest.fixture(params=["postgresql", "mysql", "sqlite3"], scope="module")
def using(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name: str = request.param
    database: dict[str, Any] = {"ENGINE": f"django.db.backends.{name}"}
    if name == "sqlite3":
        database["NAME"] = tmp_path_factory.mktemp("db") / "test.db"
    elif name == "mysql":
        # In place of mysqlclient, which has no wheels.
        pymysql.install_as_MySQLdb()
        at = request.getfixturevalue("mariadb")
        database |= {"NAME": at["database"], "HOST": at["host"], "PORT": at["port"], "USER": at["user"]}
    else:
        url: str = request.getfixturevalue("postgres")
        port, path = url.rsplit(":", 1)[1].split("/")
        database |= {"NAME": path, "HOST": "127.0.0.1", "PORT": port, "USER": "redfence"}
    connections.settings[name] = connections.configure_settings({"default": {}, name: database})[name]
    with connections[name].schema_editor() as editor:
        editor.create_model(Order)
        editor.create_model(Parcel)
    yield name
    connections[name].close()


def stored(using: str, pk: int) -> tuple[str, int]:
    row: tuple[str, int] = Order.objects.using(using).values_list("value", "fencing_token").get(pk=pk)
    return row


def test_a_save_carries_the_token_and_a_stale_one_raises(using: str) -> None:
    with guarded(Lease(5)):
        order = Order(name="a", value="new")
        order.save(using=using)
    same = Order.objects.using(using).get(pk=order.pk)
    with guarded(Lease(7)):
        same.value = "newer"
        same.save()
        same.save(update_fields=["value"])
    assert stored(using, order.pk) == ("newer", 7)
    order.value = "old"
    for update_fields in (None, ["value"]):
        with guarded(Lease(6)), pytest.raises(StaleToken) as stale:
            order.save(update_fields=update_fields)
        assert (stale.value.token, stale.value.highest) == (6, 7)
    with guarded(Lease(6)), pytest.raises(StaleToken), transaction.atomic(using=using):
        order.save()
    assert stored(using, order.pk) == ("newer", 7)
    assert order.fencing_token == 5, "a save that failed changed the object"
    with pytest.raises(NotGuarded, match="Order is fenced"):
        order.save()


def test_a_lease_that_is_over_saves_nothing(using: str) -> None:
    with redfence.Lock(redfence.embedded(1), "orders/1") as lease, guarded(lease):
        order = Order(name="b", value="new")
        order.save(using=using)
    order.value = "late"
    with guarded(lease), pytest.raises(redfence.LostError):
        order.save()
    assert stored(using, order.pk) == ("new", lease.token)


def test_updates_of_many_rows_are_all_or_none(using: str) -> None:
    rows = Order.objects.using(using).filter(name__startswith="many")
    for token, name in [(3, "many1"), (9, "many2")]:
        with guarded(Lease(token)):
            Order(name=name, value="x").save(using=using)
    with guarded(Lease(5)):
        with pytest.raises(StaleToken) as stale:
            rows.update(value="y")
        with pytest.raises(StaleToken):
            rows.delete()
        with pytest.raises(NotImplementedError):
            rows.bulk_update(list(rows), ["value"])
        assert rows.filter(name="many1").update(value="z") == 1
    assert stale.value.highest == 9
    assert list(rows.order_by("name").values_list("value", "fencing_token")) == [("z", 5), ("x", 9)]
    with guarded(Lease(9)):
        assert rows.delete()[0] == 2


def test_rows_that_are_inserted_at_once_carry_the_token(using: str) -> None:
    rows = Order.objects.using(using)
    with pytest.raises(NotGuarded):
        rows.bulk_create([Order(name="bulk0", value="x")])
    with guarded(Lease(7)):
        first, _ = rows.bulk_create([Order(name=f"bulk{n}", value="x") for n in (1, 2)])
    assert set(rows.filter(name__startswith="bulk").values_list("name", "fencing_token")) == {("bulk1", 7), ("bulk2", 7)}
    with guarded(Lease(6)):
        with pytest.raises(NotImplementedError, match="is not fenced"):
            rows.bulk_create(
                [Order(name="bulk1", value="old")], update_conflicts=True, update_fields=["value"], unique_fields=["name"]
            )
        # It changes no row that is there.
        rows.bulk_create([Order(name="bulk1", value="old")], ignore_conflicts=True)
    assert rows.get(name="bulk1").value == "x" and first.fencing_token == 7


def test_fields_of_an_update_that_are_passed_by_position_carry_the_token(using: str) -> None:
    with guarded(Lease(5)):
        order = Order(name="position", value="new")
        order.save(using=using)
    with guarded(Lease(9)), warnings.catch_warnings():
        # Later versions of Django refuse it.
        warnings.simplefilter("ignore")
        order.value = "newer"
        order.save(False, False, using, ["value"])
    assert stored(using, order.pk) == ("newer", 9)


def test_a_delete_is_fenced(using: str) -> None:
    with guarded(Lease(9)):
        order = Order(name="c", value="x")
        order.save(using=using)
    with guarded(Lease(8)), pytest.raises(StaleToken):
        order.delete()
    with guarded(Lease(9)):
        assert order.delete()[0] == 1


def test_a_child_is_fenced_by_the_row_of_its_parent(using: str) -> None:
    with guarded(Lease(9)):
        parcel = Parcel(name="d", value="x", weight=1)
        parcel.save(using=using)
    parcel.weight = 2
    with guarded(Lease(8)), pytest.raises(StaleToken):
        parcel.save()
    assert Parcel.objects.using(using).get(pk=parcel.pk).weight == 1
    with guarded(Lease(10)):
        parcel.save()
    assert Parcel.objects.using(using).get(pk=parcel.pk).weight == 2


def test_admit_in_a_transaction(using: str) -> None:
    from importlib import import_module

    migration = import_module("redfence.django.migrations.0001_fence")
    with connections[using].schema_editor() as editor:
        migration.make(None, editor)
    with transaction.atomic(using=using):
        admit("orders/9", 7, using=using)
    with pytest.raises(StaleToken), transaction.atomic(using=using):
        admit("orders/9", 6, using=using)
    with pytest.raises(ValueError, match="commits each statement"):
        admit("orders/9", 8, using=using)


def test_the_migration_is_complete() -> None:
    from django.apps import apps

    assert apps.get_app_config("redfence").name == "redfence.django"
    assert (Path(redfence.__file__).parent / "django" / "migrations" / "0001_fence.py").exists()


class Mixed(Locking, django_redis.cache.RedisCache):
    """As users of django-redis have it."""


@pytest.fixture(params=["redfence.django.cache.LocMemCache", "redfence.django.cache.RedisCache", "test_django.Mixed"])
def cache(request: pytest.FixtureRequest, urls: list[str], settings: dict[str, Any]) -> Iterator[Any]:
    from django.core.cache import caches

    conf.REDFENCE = {"nodes": urls, **settings}
    backend = {"BACKEND": request.param, "KEY_PREFIX": "shop"}
    # Beside the locks, which are in database 0; each kind of cache in its own.
    backend["LOCATION"] = f"{urls[0]}/{1 if request.param.startswith('redfence') else 2}"
    caches.settings["default"] = backend
    redfence.django.client.cache_clear()
    yield caches.create_connection("default")
    redfence.django.client.cache_clear()
    del conf.REDFENCE


def test_a_cache_has_locks(cache: Any) -> None:
    # As python-redis-lock's, and as django-redis's.
    with cache.lock("a", expire=3, id="me", auto_renewal=True) as lease:
        assert lease.name == "shop:1:a" and lease.holder.label == "me"
        other = cache.lock(
            "a", version=None, timeout=1, sleep=0.01, blocking=True, blocking_timeout=0, client=None, thread_local=False
        )
        with pytest.raises(redfence.Contended), other:
            pass
        assert not cache.lock("a", blocking=False).acquire(False)
        assert cache.lock("a", version=2).acquire(False), "versions are different keys"
    assert other.acquire(timeout=20)
    assert other.lost.wait(20), "a lock with a timeout is not renewed"


def test_reset_all_leaves_other_prefixes(cache: Any) -> None:
    lock, other = cache.lock("a"), redfence.Lock(redfence.django.client(), "else")
    lock.acquire()
    other.acquire()
    assert cache.reset_all() == 1
    assert not lock.locked() and other.locked()
    other.release()


def test_a_value_is_made_once(cache: Any) -> None:
    import threading

    made: list[int] = []

    def value() -> int:
        assert redfence.django.client().locks("shop:1:get_or_set:a")
        made.append(1)
        return 42

    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(cache.locked_get_or_set("a", value))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, made) == ([42] * 8, [1])
    with pytest.raises(ValueError):
        cache.locked_get_or_set("b", lambda: None)
    assert not redfence.django.client().locks()


def test_settings_are_checked(cache: Any) -> None:
    from django.core import checks

    def found() -> list[str]:
        redfence.django.client.cache_clear()
        return [message.msg for message in checks.run_checks() if message.id == "redfence.E001"]

    assert found() == []
    for wrong, part in [({}, "names no nodes"), ({"nodes": "redis://a", "ttl": 90}, "max_ttl"), ({"nodes": "redis://a", "x": 1}, "x")]:
        conf.REDFENCE = wrong
        assert part in found()[0]
