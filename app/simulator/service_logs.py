"""The logs that a simulated image build and a simulated container leave behind."""

from datetime import datetime

_STAMP = "%Y-%m-%dT%H:%M:%S,%f+00:00"
_PORT = 31_311


def build_log(at: datetime, image: str, *, is_broken: bool) -> str:
    """Return the log of an image build, with its reason where it failed."""
    lines = [
        f"Image Build Status is running. Started at {at:%Y-%m-%dT%H:%M:%S}Z.",
        "Simulated build: no image is made.",
        f"Step 1/14 : build of {image}",
        (
            "Step 6/14 : RUN conda env create -p /azureml-envs/azureml -f "
            "azureml-environment-setup/mutated_conda_dependencies.yml"
        ),
        "Collecting package metadata (repodata.json): ...working... done",
        "Solving environment: ...working... done",
    ]
    lines += _BROKEN if is_broken else _BUILT
    return "\n".join(lines) + "\n"


def container_log(at: datetime, models: list[str]) -> str:
    """Return the log of a container that serves."""
    stamp = f"{at:{_STAMP}}"
    return "\n".join(
        [
            f"{stamp} - gunicorn/run",
            f"{stamp} | gunicorn/run | AzureML Container Runtime Information",
            "Simulated container: no model is loaded.",
            "Starting AzureML Inference Server HTTP.",
            "Initializing logger",
            f"{stamp} | root | INFO | Models: {', '.join(models) or 'none'}",
            f"{stamp} | root | INFO | Invoking user's init function",
            f"{stamp} | root | INFO | Users's init has completed successfully",
            f"Server listening on 0.0.0.0:{_PORT}",
            "",
        ]
    )


def crash_log(at: datetime) -> str:
    """Return the log of a container whose model cannot be loaded."""
    stamp = f"{at:{_STAMP}}"
    return "\n".join(
        [
            "Starting AzureML Inference Server HTTP.",
            "Simulated container: the crash was asked for.",
            f"{stamp} | root | INFO | Invoking user's init function",
            f"{stamp} | root | ERROR | User's init function failed",
            "Traceback (most recent call last):",
            (
                '  File "/azureml-envs/azureml/lib/python3.11/site-packages/'
                'azureml_inference_server_http/server/user_script.py", line 117, in '
                "invoke_init"
            ),
            "    self._user_init()",
            '  File "/var/azureml-app/main.py", line 21, in init',
            "    driver_module.init()",
            "ModuleNotFoundError: No module named 'sklearn'",
            "Worker exiting (pid: 14)",
            "Shutting down: Master",
            "Reason: Worker failed to boot.",
            "",
        ]
    )


def initializer_log(models: list[str]) -> str:
    """Return the log of the container that fetches the models before the start."""
    return "".join(f"Simulated download of model {model}: done\n" for model in models)


def tail_of(log: str, count: int) -> str:
    """Return the last `count` lines."""
    lines = log.splitlines(keepends=True)
    return "".join(lines[-count:]) if count > 0 else ""


_BUILT = (
    "Installing pip dependencies: ...working... done",
    'Step 14/14 : CMD ["bash"]',
    "Successfully built and pushed.",
)
_BROKEN = (
    "Installing pip dependencies: ...working... Pip subprocess error:",
    (
        "ERROR: Could not find a version that satisfies the requirement "
        "no-such-package==0.0.1 (from versions: none)"
    ),
    "ERROR: No matching distribution found for no-such-package==0.0.1",
    "CondaEnvException: Pip failed",
    "The command '/bin/sh -c conda env create ...' returned a non-zero code: 1",
)
