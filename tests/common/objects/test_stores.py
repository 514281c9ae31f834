"""What every store must do, on a folder and on a server that speaks S3 and checks signatures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigurationError, StorageError
from common.objects.store import Objects, open_objects
from tests.object_store import BUCKET, Server, environment_of, free_port, put_in


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(params=["file", "s3"])
def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Objects]:
    if request.param == "file":
        yield open_objects(f"file://{tmp_path}/my%20store")
    else:
        put_in(monkeypatch, request.getfixturevalue("server").environment)
        yield open_objects(f"s3://{BUCKET}/{request.node.name.partition('[')[0]}")


def test_an_object_is_read_as_it_was_written_last(objects: Objects) -> None:
    objects.put("blobs/a", b"first")
    objects.put("blobs/a", b"second")
    assert objects.get("blobs/a") == b"second"
    assert objects.get("blobs/b") is None


def test_what_lies_below_a_name_is_listed_with_its_size(objects: Objects) -> None:
    assert objects.sizes("blobs") == {}
    objects.put("blobs/a", b"123")
    objects.put("blobs/b", b"")
    objects.put("blobsother/c", b"1")
    assert objects.sizes("blobs") == {"blobs/a": 3, "blobs/b": 0}


def test_an_object_that_goes_while_a_folder_is_listed_takes_no_other_out_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_objects(f"file://{tmp_path}/store")
    store.put("blobs/a", b"123")
    store.put("blobs/b", b"")
    scandir = os.scandir

    def scanned(folder: Path) -> Any:
        entries = list(scandir(folder))
        (folder / "b").unlink()
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", scanned)
    assert store.sizes("blobs") == {"blobs/a": 3}


def test_an_object_that_is_removed_is_gone_and_removing_it_again_is_harmless(objects: Objects) -> None:
    objects.put("blobs/a", b"1")
    for _ in range(2):
        objects.delete("blobs/a")
    assert objects.get("blobs/a") is None and objects.sizes("blobs") == {}


def test_an_object_larger_than_a_part_is_written_in_one_request(objects: Objects) -> None:
    content = os.urandom(7 * 1024 * 1024)
    objects.put("large", content)
    assert objects.get("large") == content


def test_a_folder_whose_disk_is_not_mounted_is_no_empty_store(tmp_path: Path) -> None:
    objects = open_objects(f"file://{tmp_path}/disk/store")
    with pytest.raises(StorageError, match="is not there"):
        objects.get("blobs/a")
    with pytest.raises(StorageError, match="is not there"):
        objects.put("blobs/a", b"")
    assert list(tmp_path.iterdir()) == []


def refusal(url: str) -> str:
    objects = open_objects(url)
    words = set()
    for ask in (lambda: objects.put("a", b""), lambda: objects.get("a"), lambda: objects.sizes("a")):
        with pytest.raises(StorageError) as refused:
            ask()
        # Neither the library's words nor a traceback with them: they hold what a server answered.
        assert refused.value.__cause__ is None and refused.value.__suppress_context__
        words.add(str(refused.value))
    assert len(words) == 1
    return words.pop()


def test_a_wrong_secret_is_one_line_without_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, environment_of(server.url, server.key, "not-the-secret-of-this-key"))
    assert refusal(f"s3://{BUCKET}/a") == (
        f"s3://{BUCKET}/a: refused: the secret key is not that of this access key "
        "(check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws)"
    )


def test_a_wrong_key_is_one_line_without_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, environment_of(server.url, "AKIAWRONGKEY", server.secret))
    words = refusal(f"s3://{BUCKET}/a")
    assert "refused: it does not know this access key" in words
    assert "AKIAWRONGKEY" not in words and server.secret not in words


def test_a_bucket_that_is_not_there_is_no_empty_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, server.environment)
    assert "s3://missing/a: there is no such bucket (make it" in refusal("s3://missing/a")


def test_a_store_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, environment_of(f"http://127.0.0.1:{free_port()}", "key", "secret"))
    assert refusal("s3://nights/a") == "s3://nights/a: cannot be reached (check its endpoint and the network)"


def test_keys_of_a_profile_are_used_and_read_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_in(monkeypatch, {"AWS_PROFILE": "night", "AWS_EC2_METADATA_DISABLED": "true"})
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[profile night]\nregion = us-east-1\nendpoint_url = {server.url}\n"
    )
    keys = f"[night]\naws_access_key_id = {server.key}\naws_secret_access_key = {server.secret}\n"
    (tmp_path / ".aws" / "credentials").write_text(keys)
    objects = open_objects(f"s3://{BUCKET}/profile")
    objects.put("a", b"1")
    assert objects.get("a") == b"1"


def test_a_profile_that_is_nowhere_and_a_file_that_is_broken_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_in(monkeypatch, {"AWS_PROFILE": "night"})
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no profile night is in"):
        open_objects("s3://nights/a")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("aws_secret_access_key the-secret\n")
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        open_objects("s3://nights/a")
    assert "the-secret" not in str(refused.value)
