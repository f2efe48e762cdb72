"""Where an installation keeps what it needs: database, keys, webhook secret and socket, by default in one folder."""

import base64
import os
import tempfile
from pathlib import Path

from airside.config.private_files import create_private, read_private
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
    try:
        return read_private(file).strip()
    except FileNotFoundError:
        create_private(file, "whsec_" + base64.b64encode(os.urandom(32)).decode())
        return read_private(file).strip()


def gateway_socket(settings: Settings) -> Path:
    """Return where the gateways listen besides TCP: in the data folder, or near /tmp if that path is too long."""
    path = settings.data_dir.absolute() / "gateway.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="airside-")) / "gateway.sock"
