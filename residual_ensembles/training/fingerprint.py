"""What makes two runs the same run."""

from residual_ensembles.backend.threads import process_threads
from residual_ensembles.storage.fingerprint import digest


def fingerprint(settings: dict, data_checksum: str) -> str:
    """Returns the name of a run: 16 hexadecimal digits of everything that determines its result.

    Args:
        settings: All settings, as plain values.
        data_checksum: Of the prepared data.
    """
    return digest(
        ["residual_ensembles.training.run"],
        process_threads(),
        settings=settings,
        data=data_checksum,
    )
