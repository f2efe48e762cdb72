"""What every command starts from: which configuration, which airside, with which key."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from msgspec import Struct

from airside.cli.client import Client
from airside.config.loading import find_file, load
from airside.config.private_files import write_private
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
        client = Client(*self._whom())
        try:
            yield client
        finally:
            client.close()

    def _whom(self) -> tuple[str, str]:
        """Return the address and the key."""
        url, key = self.url, self.environ.get(KEY_VARIABLE, "")
        if url and key:
            return url, key
        settings = self.settings()
        own_url, own_key = _first_line(settings.data_dir / URL_FILE), _first_line(settings.data_dir / KEY_FILE)
        if not url and not own_url and not key:  # a key of this installation is no business of another one's server
            raise AirsideError(
                Code.JOURNAL_UNAVAILABLE,
                f"no airside is running on {settings.data_dir}",
                advice="Start it with `airside up` in another terminal, name its file with --config, "
                "or set AIRSIDE_URL and AIRSIDE_API_KEY.",
            )
        if not key and not own_key:
            raise AirsideError(
                Code.UNAUTHENTICATED,
                f"no API key: AIRSIDE_API_KEY is not set, and there is none in {settings.data_dir / KEY_FILE}",
                advice="Set AIRSIDE_API_KEY, or name the installation's file with --config.",
            )
        return url or own_url or _default_url(settings), key or own_key


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
    if url and _first_line(file) == url:
        file.unlink(missing_ok=True)


def _default_url(settings: Settings) -> str:
    host = settings.server.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port or 7878}"


def _first_line(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
