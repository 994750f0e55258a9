"""Training of one network, from fresh weights to a folder of results, resumed if interrupted."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from residual_ensembles import backend, data, models
from residual_ensembles.arguments import checked, require_path
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.models.highway import mean_gate_values
from residual_ensembles.storage.files import exclusive, write_csv
from residual_ensembles.storage.fingerprint import digest
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.training import checkpoint
from residual_ensembles.training.callbacks import (
    LiveLog,
    Recorder,
    in_dvc_repository,
    snapshot_name,
)
from residual_ensembles.training.checkpoint import SNAPSHOTS, Progress
from residual_ensembles.training.feed import EvaluationBatches, Feed
from residual_ensembles.training.optimizer import SCHEDULES
from residual_ensembles.training.outputs import Outputs
from residual_ensembles.training.settings import Settings
from residual_ensembles.training.trainer import Trainer, compile_trainer


def fingerprint(settings: dict, data_checksum: str) -> str:
    """Returns the name of a run: 16 hexadecimal digits of everything that determines its result."""
    return digest(
        ["residual_ensembles.training.run"],
        process_threads(),
        settings=settings,
        data=data_checksum,
    )


EVALUATION_BATCH = 256


@checked
def build_network(settings: Settings, prepared: data.Prepared) -> models.Chain:
    """Returns the network of `settings` for these images, with fresh weights.

    Raises:
        ValueError: It computes in bfloat16, which cannot be done here.
    """
    if settings.precision != "float32" and (problem := backend.bfloat16_problem()):
        raise ValueError(f"Received precision={settings.precision!r}, expected float32: {problem}.")
    return models.build(
        settings.model,
        settings.depth,
        prepared.image_shape,
        prepared.n_classes,
        prepared.mean,
        prepared.std,
        seed=settings.seed,
        survival=settings.gating_scheme.survival,
        dtype=settings.precision,
        **settings.model_options,
    )


@checked
def make_trainer(settings: Settings, prepared: data.Prepared) -> tuple[Trainer, Feed]:
    """Returns a compiled trainer for a fresh network, and its feed."""
    feed = Feed(
        prepared.split("train"),
        prepared.augmentation,
        settings.batch_size,
        settings.seed,
        settings.gating_scheme,
    )
    trainer = Trainer(build_network(settings, prepared), feed, prepared.mean)
    total_steps = settings.epochs * feed.steps_per_epoch
    schedule = SCHEDULES[settings.schedule](settings.learning_rate, total_steps)
    compile_trainer(trainer, schedule, settings.weight_decay)
    return trainer, feed


def fit(trainer: Trainer, feed: Feed, settings: Settings, prepared, recorder, callbacks) -> None:
    """Trains from the current step of the recorder's run to its last."""
    total = settings.epochs * feed.steps_per_epoch
    validation = prepared.split("validation")
    options = {
        "callbacks": [recorder, *callbacks],
        "shuffle": False,  # the feed has its own order
        "verbose": 1 if sys.stdout.isatty() else 2,
        "validation_data": EvaluationBatches(validation, EVALUATION_BATCH)
        if len(validation)
        else None,
    }
    for first, last, steps in _epoch_ranges(recorder.progress.step, feed.steps_per_epoch, total):
        trainer.fit(
            feed.stream(first, last),
            initial_epoch=first // feed.steps_per_epoch,
            epochs=-(-last // feed.steps_per_epoch),
            steps_per_epoch=steps,
            **options,
        )


def _epoch_ranges(step: int, steps_per_epoch: int, total: int):
    """Yields (first step, step after the last, steps per epoch): a broken epoch, then full ones."""
    if step % steps_per_epoch:
        end = (step // steps_per_epoch + 1) * steps_per_epoch
        yield step, end, end - step
        step = end
    if step < total:
        yield step, total, steps_per_epoch


@checked
def finished_run(prepared: data.Prepared, settings: Settings, output_dir: Path) -> dict | None:
    """Returns run.json if the run with these settings is finished, else None.

    Args:
        prepared: Prepared data.
        settings: Everything else that determines the result.
        output_dir: Folder of its results.

    Example:
        >>> from residual_ensembles import data
        >>> prepared = data.prepare("digits", folder / "digits", limit_train=100)
        >>> finished_run(prepared, Settings(depth=8), folder / "elsewhere") is None
        True
    """
    require_path("output_dir", output_dir)
    return Outputs(Path(output_dir)).finished(fingerprint(settings.as_dict(), prepared.checksum))


@checked
def train(
    prepared: data.Prepared, settings: Settings, output_dir: Path, checkpoints: Path, network: str
) -> dict:
    """Trains a network, from its last checkpoint if there is one, unless it is finished.

    Args:
        prepared: Prepared data.
        settings: Everything else that determines the result.
        output_dir: Folder for model.keras, snapshots/, history.csv, gates.csv (highway), live/,
            times.json, run.json and, last of all, manifest.json.
        checkpoints: Folder with a folder for each run, named by its fingerprint, that holds its
            last checkpoint or, once it is finished, its results.
        network: Name of the network in tables.

    Returns:
        The content of run.json.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: The images do not fit the settings, or the checkpoint cannot be used.

    Example:
        >>> from residual_ensembles import data
        >>> prepared = data.prepare("digits", folder / "small", limit_train=100, limit_test=20)
        >>> settings = Settings(depth=8, epochs=1, batch_size=50)
        >>> out, checkpoints = folder / "out", folder / "checkpoints"
        >>> run = train(prepared, settings, out, checkpoints, "resnet")  # doctest: +ELLIPSIS
        1/1 - ...
        >>> run["network"], run["seed"], run["n_test_images"]
        ('resnet', 0, 20)
    """
    require_path("output_dir", output_dir)
    require_path("checkpoints", checkpoints)
    outputs = Outputs(Path(output_dir))
    name = fingerprint(settings.as_dict(), prepared.checksum)
    folder = Path(checkpoints) / name
    kept = Outputs(folder / "finished")
    outputs.clear()  # a killed run must not leave another one's results under its name
    with exclusive(folder):  # two networks of a study may be the same, by other names
        if kept.finished(name) is not None:
            print(f"already finished: the results are those in {kept.folder}", flush=True)
            for log in _live_logs(outputs, kept.read_history()):
                log.close()
        else:
            _train_and_save(prepared, settings, folder, kept, outputs)
        checkpoint.remove(folder)
        return kept.copy_to(outputs, network)


def _live_logs(outputs: Outputs, history: list[dict]) -> list[LiveLog]:
    return [LiveLog(outputs.live, history)] if in_dvc_repository() else []


def _train_and_save(prepared, settings: Settings, folder: Path, kept: Outputs, outputs: Outputs):
    """Trains from the last checkpoint in `folder`, if there is one, and saves the results."""
    trainer, feed = make_trainer(settings, prepared)
    progress = Progress()
    recorder = Recorder(folder, progress, feed.steps_per_epoch, settings.snapshots)
    recorder.set_model(trainer)
    if recorder.resume():
        total = settings.epochs * feed.steps_per_epoch
        print(f"resuming at step {progress.step} of {total}", flush=True)
    elif 0 in settings.snapshots or settings.model == "highway":
        recorder.save_snapshot(0)
    live = _live_logs(outputs, progress.history)
    fit(trainer, feed, settings, prepared, recorder, live)
    for log in live:
        log.close()

    kept.clear()
    models.save(trainer.chain, kept.model)
    for epoch in settings.snapshots:
        kept.add_snapshot(folder / SNAPSHOTS / snapshot_name(epoch))
    write_csv(kept.history, pd.DataFrame(progress.history))
    if settings.model == "highway":
        before = folder / SNAPSHOTS / snapshot_name(0)
        write_csv(kept.gates, gate_table(settings, models.load(before), trainer.chain, prepared))
    run = facts(trainer, feed, settings, prepared, folder.name)
    kept.finish(folder.name, run, {"seconds_training": round(progress.seconds, 1)})


def facts(trainer: Trainer, feed: Feed, settings, prepared, name: str) -> dict:
    """Returns the content of run.json: settings, provenance and errors."""
    return {
        **settings.as_dict(),
        "n_parameters": int(trainer.chain.count_params()),
        "n_modules": len(trainer.chain.modules),
        "downsampling": list(trainer.chain.downsampling),
        **errors(trainer, prepared),
        "dataset": {
            "name": prepared.name,
            "title": prepared.title,
            "checksum": prepared.checksum,
            "n_train_images": len(feed.split),
            "n_classes": prepared.n_classes,
        },
        "fingerprint": name,
        **provenance(),
    }


def errors(trainer: Trainer, prepared: data.Prepared) -> dict:
    """Returns the final errors on the validation and the test split, as fractions."""
    result: dict[str, float | None] = {}
    for name in ("validation", "test"):
        split = prepared.split(name)
        logs = (
            trainer.evaluate(
                EvaluationBatches(split, EVALUATION_BATCH), verbose=0, return_dict=True
            )
            if len(split)
            else {}
        )
        result[f"n_{name}_images"] = len(split)
        result[f"{name}_error_fraction"] = logs.get("error_fraction")
    return result


def gate_table(settings, before, after, prepared) -> pd.DataFrame:
    """Returns the mean transform gate of each module before and after training.

    The mean is over the validation split, or over the train split where that is empty.
    """
    validation = prepared.split("validation")
    split = validation if len(validation) else prepared.split("train")
    rows = [
        {
            "seed": settings.seed,
            "when": when,
            "module": i,
            "bias": settings.gate_bias,
            "mean_gate": mean,
            "n_images": len(split),
        }
        for when, chain in (("before", before), ("after", after))
        for i, mean in enumerate(mean_gates(chain, split), start=1)
    ]
    return pd.DataFrame(rows)


def mean_gates(chain, split: data.Split) -> np.ndarray:
    """Returns the mean transform gate of each module over a split, `(n_modules,)`."""
    total = np.zeros(len(chain.modules))
    batches = EvaluationBatches(split, EVALUATION_BATCH)
    for inputs, labels in (batches[i] for i in range(len(batches))):
        means = mean_gate_values(chain, inputs["images"])
        total += len(labels) * np.array([float(mean) for mean in means])
    return total / len(split)
