"""Registered models behind the simulator, in the confinement of target `local`."""

import asyncio
from pathlib import Path

import httpx
import pytest

from app.cli.simulated_models import confined_models
from app.core.clock import SystemClock
from app.simulator.model_runner import ModelRunnerError
from app.targets.isolation import isolation_level

_DESCRIPTION = """flavors:
  python_function:
    loader_module: echoing
    code: code
    env: {}
    python_version: 3.11.0
"""
_GOOD = """
from pathlib import Path

class Echo:
    def predict(self, data, params=None):
        return [float(len(data)), float(SEES)]

def _load_pyfunc(path):
    return Echo()

try:
    SEES = Path(%r).read_text() == "secret"
except OSError:
    SEES = False
"""
_BROKEN = "raise RuntimeError('the weights are missing')"


@pytest.mark.slow
async def test_a_model_answers_and_a_broken_one_says_why(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    good = _model(tmp_path / "good", _GOOD % str(secret))
    broken = _model(tmp_path / "broken", _BROKEN)

    async with confined_models(tmp_path / "servers", SystemClock()) as models:
        url, refused = await asyncio.gather(
            models.start(good), models.start(broken), return_exceptions=True
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{url}/invocations", json={"inputs": [1, 2]})
            await models.stop(str(url))
            with pytest.raises(httpx.ConnectError):
                await client.post(f"{url}/invocations", json={"inputs": [1]})

    # Two rows, and the file beside it unseen where the kernel can confine.
    sees = float(isolation_level() == "none")
    assert answer.json() == {"predictions": [2.0, sees]}
    assert isinstance(refused, ModelRunnerError)
    assert "the weights are missing" in str(refused)
    assert list((tmp_path / "servers").glob("*/work")) == []


def _model(folder: Path, code: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text(_DESCRIPTION)
    (folder / "code" / "echoing.py").write_text(code)
    return folder
