"""Invariant 7: of an installation's files, an attempt in namespaces sees none that holds keys or data."""

from pathlib import Path

from airside.config.loading import load
from airside.plane import hidden_paths


def test_every_file_with_keys_or_data_is_hidden_wherever_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "etc" / "airside.yaml"
    file.parent.mkdir()
    file.write_text(
        "data_dir: data\n"
        "master_key_file: keys/master\n"
        "database: {url: 'sqlite:////srv/db/airside.db'}\n"
        "providers: {p: {kind: openai_compatible, base_url: 'http://h/v1', api_key_file: keys/p}}\n"
    )

    hidden = {Path(path) for path in hidden_paths(load(file, {}))}

    expected = {file.parent / name for name in ("airside.yaml", "data", "keys/master", "keys/p")}
    assert hidden >= expected | {Path("/srv/db") / f"airside.db{end}" for end in ("", "-wal", "-shm")}
