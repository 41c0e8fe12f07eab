"""What an SDK raised, as text."""

from collections.abc import Callable

from azureml.exceptions import WebserviceException  # type: ignore[import-untyped]


def refusal(work: Callable[[], object]) -> str:
    try:
        work()
    except WebserviceException as error:
        return str(error.message)
    except Exception as error:  # noqa: BLE001 - what it is, is what is told
        return f"{type(error).__name__}: {error}"
    return ""
