"""A memory as one file and back: the same memory, and nothing else gets out of an archive."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from loci.store import Store, StoreError
from loci.store.archives import SUFFIXES, read_archive, write_archive
from loci.store.checking import check_memory


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    with Store.open(path) as store:
        for i in range(30):
            blobs = [store.put_blob(f"image {i}".encode() * 100)]
            store.put("episode", store.new_id("episode"), {"text": f"text {i}"}, blobs=blobs)
    return path


def records(path: Path) -> dict[str, tuple[object, ...]]:
    with Store.open(path, read_only=True) as store:
        return {r.id: (r.fields, store.blob(r.blobs[0])) for r in store.records("episode")}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archived_memory_comes_back_the_same(home: Path, tmp_path: Path, suffix: str) -> None:
    archive, again = tmp_path / f"home{suffix}", tmp_path / "elsewhere" / "again"
    with Store.open(home) as writing, Store.open(home, read_only=True) as store:  # while it is written to
        writing.put("episode", writing.new_id("episode"), {"text": "not committed"})
        uuid = store.uuid
        write_archive(store, archive)
    read_archive(archive, again)
    found = records(again)
    assert len(found) == 30
    assert found["episode/3"] == ({"text": "text 2"}, b"image 2" * 100)
    assert check_memory(again) == []
    with Store.open(again) as store:
        assert store.uuid == uuid
        assert store.find_words(["text"], limit=100)["text"] == [f"episode/{i + 1}" for i in range(30)]
        assert int(store.new_id("episode").split("/")[1]) > 30
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["home", archive.name, "elsewhere"])


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as file:
        return {m.name: file.extractfile(m).read() for m in file}  # type: ignore[union-attr]


def write_tar(archive: Path, files: dict[str, bytes], further: tuple[tarfile.TarInfo, ...] = ()) -> None:
    with tarfile.open(archive, "w:gz") as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        for info in further:
            file.addfile(info)


def link(kind: bytes, name: str = "blobs/aa/" + "a" * 64, target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> Path:
    with Store.open(home, read_only=True) as store:
        write_archive(store, tmp_path / "home.tar.gz")
    return tmp_path / "home.tar.gz"


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/tmp/outside",
        "blobs/../../outside",
        "blobs/aa/../../../outside",
        "damaged/x",
        "lock",
        "blobs",
        "manifest.json/x",
        "x" * 300,
    ],
)
def test_names_that_a_memory_does_not_have_are_refused(archive: Path, tmp_path: Path, name: str) -> None:
    write_tar(tmp_path / "bad.tar.gz", {**members(archive), name: b"evil"})
    refused(tmp_path / "bad.tar.gz", tmp_path, "has a file")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr(name, b"evil")
    refused(tmp_path / "bad.zip", tmp_path, "has a file")
    assert not (tmp_path.parent / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_folders_and_devices_are_refused(archive: Path, tmp_path: Path, kind: bytes) -> None:
    write_tar(tmp_path / "bad.tar.gz", members(archive), (link(kind),))
    refused(tmp_path / "bad.tar.gz", tmp_path, "not a plain file")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        info = zipfile.ZipInfo("manifest.json")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/passwd")
    refused(tmp_path / "bad.zip", tmp_path, "not a plain file")


def refused(archive: Path, tmp_path: Path, message: str) -> None:
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(StoreError, match=message):
        read_archive(archive, tmp_path / "again", max_bytes=10_000_000)
    assert sorted(p.name for p in tmp_path.iterdir()) == before, "nothing is left of it"


def test_changed_bytes_are_refused(archive: Path, tmp_path: Path) -> None:
    for changed in ("memory.sqlite", "manifest.json", next(n for n in members(archive) if n.startswith("blobs/"))):
        files = members(archive)
        files[changed] = files[changed][:-1] + b"?"
        write_tar(tmp_path / "bad.tar.gz", files)
        refused(tmp_path / "bad.tar.gz", tmp_path, "is damaged")
    files = members(archive)
    del files["ids.json"]
    write_tar(tmp_path / "bad.tar.gz", files)
    refused(tmp_path / "bad.tar.gz", tmp_path, "is damaged")
    (tmp_path / "bad.tar.gz").write_bytes(archive.read_bytes()[:-500])
    refused(tmp_path / "bad.tar.gz", tmp_path, "could not be unpacked|is damaged")
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    refused(tmp_path / "bad.zip", tmp_path, "could not be unpacked")


def test_a_bomb_is_refused_before_it_fills_the_disk(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("memory.sqlite", b"\0" * 50_000_000)
    refused(tmp_path / "bad.zip", tmp_path, "more bytes than allowed")


def test_what_is_there_is_never_overwritten(home: Path, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        read_archive(archive, home)
    with Store.open(home, read_only=True) as store, pytest.raises(FileExistsError):
        write_archive(store, archive)
    with Store.open(home, read_only=True) as store, pytest.raises(ValueError, match=r"ends in \.tar\.zst"):
        write_archive(store, tmp_path / "home.rar")
    assert json.loads((home / "manifest.json").read_text())["name"] == "home"
