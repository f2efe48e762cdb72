"""GPTCache at its defaults, run by the interpreter of its own environment: which questions it answers with what.

Reads {"entries": [[text, answer]], "queries": [text], "vectors": {text: [..]}} on stdin and writes the answers, null
for a miss, as one JSON line. Defaults are the threshold (0.8), evaluation (distance), store (SQLite and FAISS) and
ranking of `init_similar_cache`. Its default embedding model would be fetched at run time; it gets airside's MiniLM, on
plain texts.
"""

import json
import sys
import tempfile

import numpy as np
from gptcache import Cache
from gptcache.adapter.api import get, init_similar_cache, put


class Given:
    """An embedding whose vectors are known."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self._vectors = vectors
        self.dimension = len(next(iter(vectors.values())))

    def to_embeddings(self, data: str, **_: object) -> object:
        return np.array(self._vectors[data], dtype="float32")


def main() -> None:
    given = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache()
        init_similar_cache(data_dir=folder, cache_obj=cache, embedding=Given(given["vectors"]))
        for text, answer in given["entries"]:
            put(text, answer, cache_obj=cache)
        answers = [get(text, cache_obj=cache) for text in given["queries"]]
    print(json.dumps(answers))


main()
