"""Which turns leave a conversation that has outgrown its window: a pure function of the conversation, so that the same
prefix is cut at the same place in every later request, and providers' prompt caches and our summaries keep fitting.
"""

from collections.abc import Sequence


def first_kept(sizes: Sequence[float], pinned: float, *, high: float, low: float, keep_last: int) -> int:
    """Return the index of the first turn that stays.

    The conversation is replayed turn by turn: whenever pinned text and kept turns exceed `high` tokens, the oldest
    turns leave until no more than `low` remain. The last `keep_last` turns of each moment always stay. All in tokens.
    """
    start, total = 0, pinned
    for index, size in enumerate(sizes):
        total += size
        if total > high:
            while total > low and start < index + 1 - keep_last:
                total -= sizes[start]
                start += 1
    return start
