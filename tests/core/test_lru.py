"""A bounded map keeps what is used and forgets the rest."""

from airside.core.lru import Lru


def test_what_was_not_used_for_longest_leaves() -> None:
    held: Lru[str, int] = Lru(2)
    held.put("a", 1)
    held.put("b", 2)
    assert held.get("a") == 1
    held.put("c", 3)
    assert [held.get(key) for key in "abc"] == [1, None, 3]


def test_putting_again_is_use_and_replaces() -> None:
    held: Lru[str, int] = Lru(2)
    held.put("a", 1)
    held.put("b", 2)
    held.put("a", 4)
    held.put("c", 3)
    assert [held.get(key) for key in "abc"] == [4, None, 3]
    assert len(held) == 2
