"""The obvious way to path gradients, and small chains in float64 to try it on.

One path, one whole forward and backward pass: at each module the forward pass is the ordinary one,
and the backward pass sees only the residual, or only the skip.
"""

from itertools import product, zip_longest

import keras
import numpy as np
from keras import ops

from residual_ensembles import backend, models
from residual_ensembles.models import highway, resnet, stem_head
from residual_ensembles.paths.loss import mean_cross_entropy

SHAPE, CLASSES, IMAGES = (4, 4, 2), 3, 3
# JAX has float64 only for a whole process.
DTYPE, RELATIVE, ROUNDING = (
    ("float64", 1e-6, 1e-12) if backend.NAME == "tensorflow" else ("float32", 2e-3, 1e-5)
)


class PathGradients:
    """Gradients of single paths of a chain, for one batch."""

    def __init__(self, chain, images, labels, training=False):
        self.chain = chain
        self.training = training
        self.images = ops.cast(images, chain.stem.compute_dtype)
        self.labels = ops.cast(labels, "int32")
        weights = [ops.convert_to_tensor(v.value) for m in chain.modules for v in m.variables]
        self.weights = weights
        self._gradient = backend.compile(self._masked)

    def of(self, path) -> list[np.ndarray]:
        """Returns the gradients of the image, of y_0, and of all modules' weights, flat."""
        return [np.asarray(g, float) for g in self._gradient(np.asarray(path, DTYPE))]

    def of_all(self) -> dict[tuple, list[np.ndarray]]:
        """Returns the gradients of all paths that the chain has."""
        choices = [(0, 1) if module.has_skip else (1,) for module in self.chain.modules]
        return {path: self.of(path) for path in product(*choices)}

    def _masked(self, path):
        chain, training = self.chain, self.training

        def stem(images):
            with keras.StatelessScope():
                return chain.stem(images, training=training)

        def loss(y, *weights):
            pairs = [v for m in chain.modules for v in m.variables]
            takes_of_all = ops.unstack(path, len(chain.modules))
            with keras.StatelessScope(state_mapping=list(zip(pairs, weights, strict=True))):
                for module, takes, segment in zip_longest(
                    chain.modules, takes_of_all, chain.segments
                ):
                    z = only(module.residual(y, training=training), takes)
                    if module.has_skip:
                        z = z + only(module.skip(y, training=training), 1.0 - takes)
                    y = module.after(z)
                    y = y if segment is None else segment(y, training=training)
                return mean_cross_entropy(chain.head(y, training=training), self.labels)

        y, pull_stem = backend.vjp(stem, self.images)
        value, pull = backend.vjp(loss, y, *self.weights)
        y_gradient, *weight_gradients = pull(ops.ones_like(value))
        flat = [ops.reshape(g, (-1,)) for g in weight_gradients]
        return [pull_stem(y_gradient)[0], y_gradient, *flat]


def only(value, share):
    """Returns `value`; of its derivative, `share` is left."""
    share = ops.cast(share, value.dtype)
    return share * value + ops.stop_gradient((1.0 - share) * value)


def batch(seed=0):
    """Returns images and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (IMAGES, *SHAPE)).astype(DTYPE)
    return images, random.integers(0, CLASSES, IMAGES)


def small_chain(kind: str, widths=(3, 4), per_stage=(2, 2), dtype=DTYPE, seed=0):
    """Returns a chain with downsampling, all of whose weights and statistics are random."""
    specs = resnet.module_specs(per_stage, widths, widths[0])
    survival = np.linspace(1.0, 0.6, len(specs)).tolist()
    modules = {
        "residual": lambda: resnet.residual_modules(
            specs, resnet.basic_transform, survival, seed, dtype
        ),
        "highway": lambda: [_highway_module(spec, seed, dtype) for spec in specs],
        "first_generation": lambda: [_first_generation(spec, seed, dtype) for spec in specs],
        "partly_plain": lambda: _partly_plain(specs, seed, dtype),
        "segmented": lambda: [_first_generation(spec, seed, dtype) for spec in specs],
    }[kind]()
    segments = _segments(widths, dtype) if kind == "segmented" else ()
    head = [
        models.BatchNormalization(name="head_norm", dtype=dtype),
        keras.layers.GlobalAveragePooling2D(name="head_pool", dtype=dtype),
        stem_head.dense(CLASSES, seed, "logits", dtype),
    ]
    stem = stem_head.small_image_stem(
        widths[0], [128.0] * SHAPE[-1], [60.0] * SHAPE[-1], seed, dtype
    )
    head = stem_head.LayerSequence(head, name="head", dtype=dtype)
    chain = models.Chain(stem, modules, head, SHAPE, segments)
    randomize(chain, seed)
    return chain


def randomize(chain, seed=0) -> None:
    """Gives every weight and statistic a random value, so that no term is 0 by chance."""
    random = np.random.default_rng(seed)
    for module in [*chain.modules, *filter(None, chain.segments), chain.head]:
        for variable in module.variables:
            low, high = (0.5, 1.5) if "variance" in variable.path else (-0.7, 0.9)
            variable.assign(random.uniform(low, high, variable.shape))


def _highway_module(spec, seed, dtype):
    return models.HighwayModule(
        resnet.basic_transform(spec, seed, dtype),
        highway.transform_gate(spec, -1.0, dtype),
        resnet.shortcut_of(spec, seed, dtype),
        name=f"{spec.name}_module",
        dtype=dtype,
    )


def _first_generation(spec, seed, dtype):
    return models.Module(
        resnet.basic_transform(spec, seed, dtype),
        resnet.shortcut_of(spec, seed, dtype),
        keras.layers.ReLU(name=f"{spec.name}_relu", dtype=dtype),
        name=f"{spec.name}_module",
        dtype=dtype,
    )


def _segments(widths, dtype):
    """Something with weights after the first of four modules, and after the third."""
    return [
        stem_head.LayerSequence(
            [
                models.BatchNormalization(name=f"segment{i}_norm", dtype=dtype),
                keras.layers.Conv2D(width, 1, name=f"segment{i}_conv", dtype=dtype),
            ],
            name=f"segment{i}",
            dtype=dtype,
        )
        if i % 2
        else None
        for i, width in enumerate((widths[0], widths[0], widths[1]), start=1)
    ]


def _partly_plain(specs, seed, dtype):
    """Every second module is without a skip."""
    modules = resnet.residual_modules(
        specs, resnet.basic_transform, [1.0] * len(specs), seed, dtype
    )
    return [
        models.PlainModule(m.transform, name=f"{m.name}_plain", dtype=dtype) if i % 2 else m
        for i, m in enumerate(modules)
    ]
