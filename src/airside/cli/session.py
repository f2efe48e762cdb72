"""What every command starts from: which configuration, which airside, with which key."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from msgspec import Struct

from airside.cli.client import Client
from airside.config.installation import write_private
from airside.config.loading import find_file, load
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code

URL_VARIABLE = "AIRSIDE_URL"
KEY_VARIABLE = "AIRSIDE_API_KEY"
KEY_FILE = "cli.key"
URL_FILE = "server.url"


class Session(Struct, frozen=True):
    """The root command's options and the environment."""

    config: Path | None
    url: str
    environ: Mapping[str, str]

    def settings(self) -> Settings:
        """Return the installation's settings; raises AirsideError `misconfigured`."""
        return load(find_file(self.config, self.environ), self.environ)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Connect to airside: the address and key as given, else those of the installation on this machine."""
        url, key = self.url, self.environ.get(KEY_VARIABLE, "")
        if not url or not key:
            settings = self.settings()
            url = url or _first_line(settings.data_dir / URL_FILE) or _default_url(settings)
            key = key or _first_line(settings.data_dir / KEY_FILE)
        if not key:
            raise AirsideError(
                Code.UNAUTHENTICATED,
                "no API key: AIRSIDE_API_KEY is not set and this installation has none for its CLI",
                advice="Set AIRSIDE_API_KEY, or use --config with the installation's airside.yaml.",
            )
        client = Client(url, key)
        try:
            yield client
        finally:
            client.close()


def session_of(context: typer.Context) -> Session:
    """Return the session that the root command made."""
    session = context.find_root().obj
    assert isinstance(session, Session), "the root command runs first"
    return session


def start(config: Path | None, url: str) -> Session:
    """Return the session of this invocation."""
    return Session(config, url, os.environ)


def remember_url(settings: Settings, url: str) -> None:
    """Let the CLI on this machine find a server, whatever port it got."""
    write_private(settings.data_dir / URL_FILE, url)


def forget_url(settings: Settings, url: str) -> None:
    """Undo `remember_url`, unless another server has taken its place."""
    file = settings.data_dir / URL_FILE
    if _first_line(file) == url:
        file.unlink(missing_ok=True)


def _default_url(settings: Settings) -> str:
    host = settings.server.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port or 7878}"


def _first_line(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
