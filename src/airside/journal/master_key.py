"""The installation's master key, under which all data keys are wrapped: one file, made at the first start.

It is never replaced: without it everything sealed is lost, so keep a copy apart from the database.
"""

import os
from pathlib import Path

from airside.config.private_files import create_private, read_private
from airside.core.errors import AirsideError, Code
from airside.journal.sealing import KEY_BYTES


def load_master_key(path: Path) -> bytes:
    """Return the master key in a file (64 hex digits, mode 0600); a file that is missing is made.

    Raises AirsideError `misconfigured` if others may read the file or it does not hold exactly one key.
    """
    try:
        text = read_private(path)
    except FileNotFoundError:
        create_private(path, os.urandom(KEY_BYTES).hex() + "\n")
        text = read_private(path)
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"the master key file {path} does not hold {2 * KEY_BYTES} hex digits",
            advice="Restore the file from your copy; a new key cannot open what the old one sealed.",
        )
    return key
