"""Predictions after many lesions, from as little computing as they need."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from residual_ensembles import backend
from residual_ensembles.executor import Executor
from residual_ensembles.lesions import agreement, cascade, closeness
from residual_ensembles.lesions.agreement import Agreement
from residual_ensembles.lesions.examples import check_shape
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.margin import Sampling, check_margin
from residual_ensembles.lesions.rounds import COUNTS, Rounds
from residual_ensembles.lesions.subject import Subject
from residual_ensembles.lesions.together import Round, together
from residual_ensembles.models.targets import check_numbers, class_labels
from residual_ensembles.parameters import LESION_PRECISIONS
from residual_ensembles.pieces import Pieces


@dataclass(frozen=True)
class Evaluation:
    """What a network predicts after each lesion of a plan."""

    predictions: np.ndarray
    """Classes, int32 `(n_lesions, n_pictures)`, in the order of the plan; `margin.UNKNOWN` where a
    picture was not needed for the error to be known well enough."""
    intact: np.ndarray | None
    """Classes that the intact network predicts, `(n_pictures,)`, where errors are estimated."""
    n_close: np.ndarray
    """For each lesion, predictions whose two best logits lie closer than `rounding`."""
    rounding: float
    """Bound of what float32 rounding changes in a difference of logits, as a share of the largest
    one: `closeness.ROUNDING`, or more where the network itself enlarges small differences."""
    n_redone: np.ndarray
    """For each lesion, predictions that a cascade made again in float32."""
    n_beyond: np.ndarray
    """Of these, those whose rounding was larger than the cascade allows for; where there is one,
    the other pictures of its piece are made again too."""
    agreement: Agreement
    """How float32 compares with the reference, on a sample of lesions and pictures."""
    check: cascade.Check | None
    """What bfloat16 changes, on a sample; None where all is float32."""
    peak_bytes: int
    """By how much the memory of a process grew meanwhile, at most."""


def evaluate(
    chain,
    plan: Sequence,
    pictures,
    *,
    precision: str = "float32",
    labels: np.ndarray | None = None,
    error_margin: float | None = None,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    pieces: Pieces | None = None,
    executor: Executor | None = None,
    progress: Callable[[float], None] = lambda n_predictions: None,
) -> Evaluation:
    """Evaluates a plan of lesions.

    Everything that lesions have in common, from the stem to where they part, is computed once;
    where they meet again, and are too few to fill half of a batch, their activations pass the next
    module together.

    In float32 predictions are those of `evaluate_reference`, except where the two best logits of a
    picture lie closer than rounding: these are counted in `n_close`. In
    bfloat16 some change: `check` says how many of a sample. A cascade is bfloat16, and float32
    again wherever rounding could have changed the prediction: see `cascade`.

    Args:
        chain: The network; nothing about it changes.
        plan: Lesions of any kinds, or planned lesions.
        pictures: `(n_pictures, height, width, channels)` in 0..255, or other inputs as
            `chain.packed_inputs` returns them: an array, or anything with a length that returns an
            array for a slice or for positions.
        precision: "float32", "bfloat16" or "cascade".
        labels: True classes `(n_pictures,)`; for `error_margin`.
        error_margin: Half-width, as a fraction, at which the 95 % interval of a lesion's error on
            the given pictures is narrow enough; see `margin`. None evaluates all pictures.
        memory_bytes: What activations may take, in each process.
        batch_size: How many of them may pass a module together; None for as many as are fast.
        seed: Of the samples.
        pieces: Where finished pieces are kept, to go on after an interruption.
        executor: What computes them; None for this process, with the threads that it has.
        progress: Called with the number of predictions that were made since the last call.

    Raises:
        ValueError: There is no lesion or no picture, pictures have another shape than the
            network's, it cannot bear one of the lesions, there is no such precision, the margin is
            no fraction or comes without labels, or the memory is too small for a single picture.
        ArithmeticError: Logits of a sample differ from those of the network itself, or are not
            finite.

    Example:
        >>> plan = single_deletions(deletable(chain))  # doctest: +SKIP
        >>> evaluate(chain, plan, pictures).predictions.shape  # doctest: +SKIP
        (54, 10000)
    """
    going = evaluation(
        chain,
        plan,
        pictures,
        precision=precision,
        labels=labels,
        error_margin=error_margin,
        memory_bytes=memory_bytes,
        batch_size=batch_size,
        seed=seed,
        pieces=pieces,
    )
    return together({chain.name: going}, executor or Executor(), progress)[chain.name]


def evaluation(
    chain,
    plan: Sequence,
    pictures,
    *,
    precision: str = "float32",
    labels: np.ndarray | None = None,
    error_margin: float | None = None,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    pieces: Pieces | None = None,
) -> Generator[Round, list[dict[str, np.ndarray]], Evaluation]:
    """Evaluates a plan of lesions, piece by piece, wherever these are computed: see `together`.

    Arguments, errors and what it returns in the end are those of `evaluate`.
    """
    labels = labels if labels is None else np.asarray(labels)
    _check_arguments(plan, pictures, precision, labels, error_margin)
    check_shape(chain, pictures)
    if hasattr(pictures, "dtype"):  # what is read bit by bit shows it in its outputs
        check_numbers("inputs", pictures)
    if error_margin is not None:
        labels = class_labels(chain, labels, len(pictures), "no error_margin")
    check_precision(chain, precision)
    rows = [Lesion.parse(row) if isinstance(row, str) else row for row in plan]
    lesions = [row if isinstance(row, Lesion) else row.lesion for row in rows]
    subject = Subject(chain, lesions, len(pictures), memory_bytes, batch_size)
    sweep = Rounds(subject, pictures, pieces or Pieces())
    (compared,) = yield sweep.round([agreement.sample(subject.evaluator, len(pictures), seed)])
    agreed = agreement.accepted(compared, chain)
    check = None
    if precision != "float32":
        check = yield from sweep.check(seed)
    rounding = closeness.bound(agreed.largest_relative_difference)
    how = precision, rounding, check and check.thresholds
    if error_margin is None:
        intact, found = None, (yield from sweep.all_pictures(how))
    else:
        whole = yield from evaluation(
            chain,
            [Lesion()],
            pictures,
            precision=precision,
            memory_bytes=memory_bytes,
            batch_size=batch_size,
            seed=seed,
            pieces=sweep.kept.within("intact"),
        )
        intact = whole.predictions[0]
        sizes = subject.evaluator.grid.batch_sizes
        sampling = Sampling(intact != labels, len(lesions), error_margin, seed, sizes)
        unharmed = [i for i, lesion in enumerate(lesions) if lesion == Lesion()]
        for i in unharmed:
            sampling.settle(i, intact != labels)
        found = yield from sweep.sampled_pictures(sampling, labels, how)
        for name in ("predictions", *COUNTS):
            found[name][unharmed] = getattr(whole, name)[0]
        found["peak_bytes"] = max(found["peak_bytes"], whole.peak_bytes)
    return Evaluation(intact=intact, agreement=agreed, rounding=rounding, check=check, **found)


def _check_arguments(plan, pictures, precision, labels, error_margin) -> None:
    if precision not in LESION_PRECISIONS:
        raise ValueError(
            f"Received precision={precision!r}, expected one of {', '.join(LESION_PRECISIONS)}."
        )
    if not len(plan):
        raise ValueError("Received no lesions, expected at least one, such as Lesion(), intact.")
    if not len(pictures):
        raise ValueError("Received no pictures, expected at least one.")
    if error_margin is not None and (labels is None or labels.shape != (len(pictures),)):
        received = "no" if labels is None else "×".join(map(str, labels.shape))
        raise ValueError(
            f"Received error_margin={error_margin} and {received} labels for {len(pictures)} "
            "pictures, expected the true class of each: an error cannot be estimated without."
        )
    if error_margin is not None:
        check_margin(error_margin)


def check_precision(chain, precision: str) -> None:
    """Refuses to round what a network cannot bear to have rounded, or where nothing can be.

    Args:
        chain: The network.
        precision: Of the computation.

    Raises:
        ValueError: Whole numbers, such as a mask, travel between its modules, or bfloat16 cannot be
            computed here.
    """
    if precision != "float32" and chain.whole_numbers_travel:
        raise ValueError(
            f"Received precision={precision!r} for {chain.name}, between whose modules whole "
            "numbers or masks travel, expected float32."
        )
    if precision != "float32" and (problem := backend.bfloat16_problem()):
        raise ValueError(f"Received precision={precision!r}, expected float32: {problem}.")
