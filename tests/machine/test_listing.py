"""What changed on a disk is seen: content, mode, owners, links; what Debian itself writes is not told."""

from __future__ import annotations

from pathlib import Path

from tests.machine.listing import difference, listing, shortened


def test_every_kind_of_change_is_seen(tmp_path: Path) -> None:
    for name in ("same", "content", "mode", "gone"):
        (tmp_path / name).write_text("before")
        (tmp_path / name).chmod(0o644)
    (tmp_path / "link").symlink_to("same")
    before = listing(tmp_path)
    assert difference(before, listing(tmp_path)) == []
    (tmp_path / "content").write_text("after!")
    (tmp_path / "mode").chmod(0o600)
    (tmp_path / "gone").unlink()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("content")
    (tmp_path / "etc").mkdir()
    assert difference(before, listing(tmp_path)) == [
        "etc is new",
        "gone is gone",
        "content is otherwise",
        "link is otherwise",
        "mode is otherwise",
    ]


def test_what_debian_writes_and_what_is_named_is_left_out(tmp_path: Path) -> None:
    before = listing(tmp_path, but=("own",))
    for name in ("var/log/journal", "own/below"):
        (tmp_path / name).mkdir(parents=True)
    assert difference(before, listing(tmp_path, but=("own",))) == ["var is new"]


def test_a_long_list_is_cut_short() -> None:
    assert shortened([str(number) for number in range(10)], most=3) == ["0", "1", "2", "and 7 more"]
