"""What an installation keeps on disk is private, made once, and refused when others can read it."""

from pathlib import Path

import pytest

from airside.config.installation import gateway_socket, prepare_folder, webhook_secret
from airside.config.private_files import write_private
from airside.config.settings import Settings, WebhookSettings
from airside.core.errors import AirsideError, Code


def test_the_folder_is_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "a" / "b")
    prepare_folder(settings)
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(AirsideError) as caught:
        prepare_folder(Settings(data_dir=tmp_path / "file"))
    assert caught.value.code is Code.MISCONFIGURED


def test_the_webhook_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first = webhook_secret(settings)
    assert first.startswith("whsec_")
    assert webhook_secret(settings) == first
    file = tmp_path / "webhook.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(AirsideError, match="readable by others"):
        webhook_secret(settings)
    configured = Settings(data_dir=tmp_path, webhooks=WebhookSettings.model_validate({"secret": "whsec_eA=="}))
    assert webhook_secret(configured) == "whsec_eA=="


def test_a_private_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_socket_path_fits_what_the_kernel_takes(tmp_path: Path) -> None:
    assert gateway_socket(Settings(data_dir=Path("/srv/airside"))) == Path("/srv/airside/gateway.sock")
    long = gateway_socket(Settings(data_dir=tmp_path / ("x" * 120)))
    assert len(str(long)) <= 100
    assert long.parent.stat().st_mode & 0o777 == 0o700
