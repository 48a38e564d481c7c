"""The file with the secret: written beside the old one, put in its place, and never by way of a link."""

import os
import stat
from pathlib import Path
from typing import Final

import pytest

from camunda_entra_fastapi.cli.register.env_file import EnvFile, open_env_file

OLD: Final = {"CAMUNDA_IDENTITY_CLIENT_ID": "x", "CAMUNDA_IDENTITY_CLIENT_SECRET": "old"}
NEW: Final = OLD | {"CAMUNDA_IDENTITY_CLIENT_SECRET": "new"}
TEXT: Final = "CAMUNDA_IDENTITY_CLIENT_ID=x\nCAMUNDA_IDENTITY_CLIENT_SECRET=new\n"


def existing(path: Path, mode: int = 0o600) -> EnvFile:
    """A file that an earlier run wrote, as it is opened again."""
    path.write_text("".join(f"{name}={value}\n" for name, value in OLD.items()))
    path.chmod(mode)
    return open_env_file(path, force=False)


def names_in(folder: Path) -> list[str]:
    """What there is in a directory."""
    return [each.name for each in folder.iterdir()]


def is_private_file(path: Path) -> bool:
    """A file of mode 600, and no link."""
    return path.lstat().st_mode == stat.S_IFREG | 0o600


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_file_is_private_from_the_first_moment(tmp_path: Path, umask: int) -> None:
    """CWE-378: whatever the umask lets in, and however the old file was opened before."""
    path = tmp_path / "operate.env"
    file = existing(path, 0o644)
    before = os.umask(umask)
    try:
        with path.open() as opened:
            assert file.write(NEW)
            assert "new" not in opened.read()
    finally:
        os.umask(before)
    assert (path.read_text(), is_private_file(path), names_in(tmp_path)) == (TEXT, True, ["operate.env"])


def test_a_link_that_is_there_is_refused(tmp_path: Path) -> None:
    """CWE-59: whether the file that it leads to is there or not, with ``--force``, and in a circle."""
    target, link, circle = (tmp_path / name for name in ("target.env", "operate.env", "circle.env"))
    link.symlink_to(target)
    circle.symlink_to(circle)
    with pytest.raises(ValueError, match="is a symbolic link"):
        open_env_file(circle, force=False)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"is a symbolic link.* Give the name of the file that it leads"):
            open_env_file(link, force=True)
        existing(target)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_link_that_appears_meanwhile_is_replaced_and_not_followed(tmp_path: Path, is_new: bool) -> None:
    """CWE-367: somebody else may write to the directory while an administrator signs in."""
    path, victim = tmp_path / "operate.env", tmp_path / "victim"
    victim.write_text("precious")
    file = open_env_file(path, force=False) if is_new else existing(path)
    path.unlink(missing_ok=True)
    path.symlink_to(victim)
    assert file.write(NEW)
    assert (path.read_text(), is_private_file(path), victim.read_text()) == (TEXT, True, "precious")


def test_a_link_to_a_file_with_the_same_content_is_replaced_as_well(tmp_path: Path) -> None:
    """It may lead to a file that is somebody else's."""
    path, other = tmp_path / "operate.env", tmp_path / "other"
    file = existing(path)
    path.rename(other)
    path.symlink_to(other)
    assert file.write(OLD)
    assert is_private_file(path)
    assert not file.write(OLD)
    path.unlink()
    assert file.write(OLD)


def test_hard_links_keep_the_old_content(tmp_path: Path) -> None:
    """Another name of the old file does not get the new secret."""
    path, other = tmp_path / "operate.env", tmp_path / "other"
    file = existing(path)
    os.link(path, other)
    assert file.write(NEW)
    assert "old" in other.read_text()
    assert path.read_text() == TEXT


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_where_writing_fails_the_old_file_stays_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """A full disk costs nothing that was there, and leaves no secret lying about."""
    file = existing(tmp_path / "operate.env")

    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space left"):
        file.write(NEW)
    assert names_in(tmp_path) == ["operate.env"]
    assert open_env_file(tmp_path / "operate.env", force=False).variables == OLD


def test_a_directory_that_nobody_may_write_to_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is made there, also where the old one could be written to."""
    path, genuine = tmp_path / "operate.env", os.access
    existing(path)
    monkeypatch.setattr(os, "access", lambda each, mode: each != tmp_path and genuine(each, mode))
    with pytest.raises(ValueError, match="may not be written by you"):
        open_env_file(path, force=True)


@pytest.mark.parametrize(("user", "kept"), [(0, True), (1000, False)])
def test_a_file_that_root_replaces_stays_its_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, *, kept: bool
) -> None:
    """After ``sudo camunda-entra register`` the service reads it as before; others may give no file away."""
    path = tmp_path / "operate.env"
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "fchown", lambda _, owner, group: given.append((owner, group)))
    assert open_env_file(path, force=False).write(OLD)
    assert given == []
    former = path.stat()
    assert open_env_file(path, force=False).write(NEW)
    assert given == ([(former.st_uid, former.st_gid)] if kept else [])
