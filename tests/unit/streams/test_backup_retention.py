"""Which backups are kept, when the next is due, and what they are called."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import SecretStr, ValidationError

from streams.backup import address, metrics
from streams.backup.errors import BackupFailed, BadBackup
from streams.backup.manifest import (
    NAME,
    Backup,
    Manifest,
    Rehearsal,
    Verdict,
    named,
    newest_good,
)
from streams.backup.retention import surplus
from streams.backup.schedule import due
from streams.backup.settings import BackupSettings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NIGHT = time(2, 30)


def backup(age: timedelta, *, flaw: str | None = None) -> Backup:
    """A backup that was begun so long ago, and looked at since."""
    began = NOW - age
    name = named(began)
    manifest = Manifest(
        name=name,
        database="actionstream",
        started_at=began,
        finished_at=began + timedelta(seconds=90),
        size_bytes=4096,
        sha256="0" * 64,
        tables={"public.gpts": 1},
        revision="0003",
        product_version="0.1.0",
        server_version="18.6",
        dump_version="18.6",
    )
    return Backup(name, manifest, Verdict(checked_at=NOW, flaw=flaw))


MINUTES = st.integers(min_value=0, max_value=60 * 24 * 400)
BACKUPS = st.lists(
    st.builds(
        lambda minutes, flaw: backup(timedelta(minutes=minutes), flaw=flaw),
        MINUTES,
        st.sampled_from([None, "the dump is missing"]),
    ),
    max_size=40,
)


@given(BACKUPS, st.integers(0, 60), st.integers(0, 20))
def test_the_last_good_one_is_never_surplus(
    backups: list[Backup], keep_days: int, keep_count: int
) -> None:
    """Whatever there is and whatever is asked: the newest good one stays, if there is one."""
    chosen = surplus(backups, now=NOW, keep_days=keep_days, keep_count=keep_count)
    assert newest_good(backups) not in chosen
    left = [one for one in backups if one not in chosen]
    assert newest_good(left) == newest_good(backups)


@given(BACKUPS, st.integers(0, 60), st.integers(1, 20))
def test_what_a_rule_keeps_is_kept(backups: list[Backup], keep_days: int, keep_count: int) -> None:
    """Surplus is exactly what is neither young nor among so many good ones, if any is good."""
    chosen = surplus(backups, now=NOW, keep_days=keep_days, keep_count=keep_count)
    good = sorted((one.name for one in backups if one.good), reverse=True)
    for one in backups:
        young = NOW - one.started_at < timedelta(days=keep_days)
        kept = young or one.name in good[:keep_count] or not good
        assert (one in chosen) is not kept
    assert [one.name for one in chosen] == sorted(one.name for one in chosen)


@given(BACKUPS, st.integers(0, 60), st.integers(1, 20))
def test_pruning_twice_is_pruning_once(
    backups: list[Backup], keep_days: int, keep_count: int
) -> None:
    """What is left has no surplus."""
    chosen = surplus(backups, now=NOW, keep_days=keep_days, keep_count=keep_count)
    left = [one for one in backups if one not in chosen]
    assert surplus(left, now=NOW, keep_days=keep_days, keep_count=keep_count) == []


def test_without_a_good_one_nothing_is_surplus() -> None:
    """What cannot be trusted may be all that there is."""
    bad = [backup(timedelta(days=age), flaw="the dump is missing") for age in (100, 200)]
    unread = Backup(named(NOW - timedelta(days=300)), None)
    assert surplus([*bad, unread], now=NOW, keep_days=1, keep_count=1) == []


def test_a_backup_without_a_readable_manifest_is_not_good() -> None:
    """It is listed as bad, and nothing is restored from it."""
    unread = Backup(named(NOW), None)
    assert not unread.good
    assert unread.checked_at is None
    with pytest.raises(BadBackup, match="its manifest cannot be read"):
        unread.known()


@given(st.lists(MINUTES, min_size=2, max_size=2, unique=True))
def test_names_sort_by_time(ages: list[int]) -> None:
    """The name of a later backup is the greater, and says when it was begun."""
    older, newer = (NOW - timedelta(minutes=age) for age in sorted(ages, reverse=True))
    assert named(older) < named(newer)
    assert NAME.fullmatch(named(older))
    assert Backup(named(older), None).started_at == older


def test_a_later_release_may_add_to_the_manifest() -> None:
    """Fields that we do not know are left alone; another format is none that we read."""
    manifest = backup(timedelta()).known()
    later = manifest.model_dump(mode="json") | {"encryption": "none"}
    assert Manifest.model_validate(later) == manifest
    with pytest.raises(ValidationError):
        Manifest.model_validate(later | {"format": 2})


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        ("2026-11-21T02:30:00", "2026-11-22T02:30:00"),
        ("2026-11-21T02:29:59", "2026-11-21T02:30:00"),
        ("2026-11-21T11:00:00", "2026-11-22T02:30:00"),
        ("2026-11-19T02:30:01", "2026-11-20T02:30:00"),
    ],
)
def test_one_is_due_every_night(made: str, wanted: str) -> None:
    """The first night after the last good one; one that was missed is due in the past."""
    age = NOW - datetime.fromisoformat(made).replace(tzinfo=UTC)
    found = due([backup(age), backup(age + timedelta(days=3))], NIGHT, NOW)
    assert found == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


def test_without_a_good_one_it_is_due_now() -> None:
    """A first start makes one, and so does a backup that was found to be bad."""
    assert due([], NIGHT, NOW) == NOW
    assert due([backup(timedelta(hours=1), flaw="the dump is missing")], NIGHT, NOW) == NOW


def test_metrics_are_of_the_newest_good_one() -> None:
    """They are read from its manifest, whoever made it."""
    good, bad = backup(timedelta(hours=9)), backup(timedelta(hours=1), flaw="the dump is missing")
    later = Rehearsal(held_at=NOW + timedelta(hours=1), differences=["there is no public.lost"])
    all_there = Rehearsal(held_at=NOW, differences=[])
    older = replace(backup(timedelta(hours=33)), verdict=None, rehearsal=all_there)
    oldest = older.known().finished_at
    metrics.show([bad, replace(good, rehearsal=later), older])

    def value(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    assert (
        value("actionstream_backup_success_timestamp_seconds")
        == (NOW - timedelta(hours=9) + timedelta(seconds=90)).timestamp()
    )
    assert value("actionstream_backup_duration_seconds") == 90
    assert value("actionstream_backup_size_bytes") == 4096
    assert value("actionstream_backup_checked_timestamp_seconds") == oldest.timestamp()
    assert value("actionstream_backup_drill_success_timestamp_seconds") == NOW.timestamp()
    assert value("actionstream_backups", state="good") == 2
    assert value("actionstream_backups", state="bad") == 1
    metrics.show([])
    assert value("actionstream_backup_success_timestamp_seconds") == 0
    assert value("actionstream_backup_checked_timestamp_seconds") == 0
    assert value("actionstream_backup_drill_success_timestamp_seconds") == 0


URL = "postgresql+psycopg://owner:{}@db.example:6432/live?sslmode=verify-full&sslpassword=s3cret"


@pytest.mark.parametrize("password", ["secret", "a b'c\\d", "p%40ss", "密码"])
def test_no_password_is_on_a_command_line(password: str) -> None:
    """It goes by environment; everything else stands in the connection string."""
    url = address.make_url(URL.format("x")).set(password=password)
    text = url.render_as_string(hide_password=False)
    found = address.of(BackupSettings(admin_database_url=SecretStr(text)))
    shown = found.of("scratch").conninfo()
    assert password not in shown
    assert "s3cret" not in shown
    assert found.secrets() == {"PGPASSWORD": password}
    assert found.database == "live"
    for part in ("host=db.example", "port=6432", "dbname=scratch", "sslmode=verify-full"):
        assert part in shown


def test_an_address_is_needed() -> None:
    """Without one the sentence says what to set."""
    nothing = BackupSettings(_env_file=None, admin_database_url=None, database_url=None)
    with pytest.raises(BackupFailed, match="ACTIONSTREAM_ADMIN_DATABASE_URL"):
        address.of(nothing)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://actionstream/backups", "another bucket"),
        ("s3://", "s3://bucket/prefix"),
        ("gs://backups/nightly", "s3://bucket/prefix"),
    ],
)
def test_a_place_that_cannot_be_is_refused(place: str, said: str) -> None:
    """Backups beside the documents would go with them, and other stores are not known."""
    with pytest.raises(ValidationError, match=said):
        BackupSettings(_env_file=None, backup_target=place, s3_bucket="actionstream")


def test_the_time_is_in_utc() -> None:
    """Another zone is refused instead of being taken for UTC."""
    with pytest.raises(ValidationError, match="in UTC"):
        BackupSettings(_env_file=None, backup_at=time(2, 30, tzinfo=UTC))
