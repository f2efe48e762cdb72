"""Where an installation keeps what it needs: database, keys, webhook secret and socket, by default in one folder."""

import base64
import contextlib
import os
import stat
import tempfile
from pathlib import Path

from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code

SOCKET_PATH_BYTES_MAX = 100  # sun_path of unix(7) holds 108 with its end


def prepare_folder(settings: Settings) -> None:
    """Create the data folder with mode 0700. Raises AirsideError `misconfigured` if that cannot be done."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.chmod(0o700)
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"data_dir {settings.data_dir}: {error.strerror}") from None


def database_url(settings: Settings) -> str:
    """Return the database's url: as configured, else SQLite in the data folder."""
    return settings.database.url or f"sqlite:///{settings.data_dir / 'airside.db'}"


def master_key_file(settings: Settings) -> Path:
    """Return where the master key is: as configured, else in the data folder."""
    return settings.master_key_file or settings.data_dir / "master.key"


def webhook_secret(settings: Settings) -> str:
    """Return the secret that signs webhooks, made at first start if none is configured."""
    if settings.webhooks.secret is not None:
        return settings.webhooks.secret.get_secret_value()
    file = settings.data_dir / "webhook.secret"
    _create_once(file, "whsec_" + base64.b64encode(os.urandom(32)).decode())
    _refuse_open_mode(file)
    return _read(file, "webhooks.secret")


def gateway_socket(settings: Settings) -> Path:
    """Return where the gateways listen besides TCP: in the data folder, or near /tmp if that path is too long."""
    path = settings.data_dir.absolute() / "gateway.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="airside-")) / "gateway.sock"


def write_private(file: Path, text: str) -> None:
    """Replace a file's text in one step, readable by its owner only."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def _create_once(file: Path, text: str) -> None:
    """Write a file unless it exists; of two processes at once, one wins and both read the same."""
    if file.exists():
        return
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    write_private(fresh, text)
    with contextlib.suppress(FileExistsError):
        os.link(fresh, file)
    fresh.unlink()


def _refuse_open_mode(file: Path) -> None:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise AirsideError(
            Code.MISCONFIGURED, f"{file}: readable by others than its owner", advice=f"Run chmod 600 {file}."
        )


def _read(file: Path, setting: str) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise AirsideError(Code.MISCONFIGURED, f"{setting}: cannot read {file}") from None
