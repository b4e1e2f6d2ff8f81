"""`--help` of every command teaches with examples and needs no heavy import."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.main import COMMANDS, create_app
from tests.cli.command import berth

pytestmark = pytest.mark.process


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_help_has_examples(command: str) -> None:
    shown = CliRunner().invoke(create_app(), [command, "--help"], terminal_width=100)
    assert shown.exit_code == 0
    assert "Examples:" in shown.output
    assert f"berth {command}" in shown.output


def test_help_imports_no_model_library_and_no_server() -> None:
    code = (
        "import sys; from cli.main import create_app; create_app()(['--help'], standalone_mode=False);"
        "heavy = {'kserve','torch','xgboost','onnxruntime','fastapi','uvicorn','redis','grpc'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    import subprocess
    import sys

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_no_command_shows_the_way() -> None:
    ended = berth()
    assert "berth demo" in ended.stdout
    assert "berth explain" in ended.stdout


def test_unknown_command_is_refused() -> None:
    ended = berth("sail")
    assert ended.returncode == 2
    assert "sail" in ended.stderr
