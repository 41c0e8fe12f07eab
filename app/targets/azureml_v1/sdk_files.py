"""The files that azureml-core reads: in the request's directory, removed with it."""

import os
from pathlib import Path
from typing import Any

# azureml-core takes it by its name, relative to the working directory.
SERVICE_SCRIPT = "slipway_score.py"

_FILES = {"ssl_cert_pem": "ssl_cert_pem_file", "ssl_key_pem": "ssl_key_pem_file"}


def write_certificates(arguments: dict[str, Any]) -> dict[str, str]:
    """Write a request's PEM texts; return the files by azureml-core's names."""
    written = {}
    for name, text in arguments["certificates"].items():
        path = Path(f"{name}.pem").absolute()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        written[_FILES[name]] = str(path)
    return written
