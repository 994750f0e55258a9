"""The names that the parameters of a study may have: each list once, for library, flags and checks.

Nothing is imported here, so that a program can say what it takes without waiting for Keras.
"""

MODELS = ("resnet", "resnet_bottleneck", "vgg", "highway")
"""Kinds of networks that are trained here."""
EXTERNAL = ("keras:", "application:")
"""What the name of a network begins with that is brought along and not trained: a file of Keras, or
a network of `keras.applications`."""
WEIGHTS = ("imagenet", "random")
"""Of a network of `keras.applications`."""
GATINGS = ("none", "effective_paths", "stochastic_depth")
"""Which modules run in a batch of training."""
SCHEDULES = ("paper", "cosine", "imagenet")
"""Courses of the learning rate."""
TRAINING_PRECISIONS = ("float32", "mixed_bfloat16")
LESION_PRECISIONS = ("float32", "bfloat16", "cascade")
BATCH_NORM = ("inference", "training")
"""Statistics that batch normalization uses where gradients are taken apart."""
TARGETS = ("y0", "picture")
"""What a gradient is taken to."""
STORAGES = ("auto", "arrays", "records")
"""How prepared pictures are stored."""
MAX_MEMBERS = 10
"""Of an ensemble: every committee of them votes, and ten members form 1,023."""


def is_external(model: str) -> bool:
    """Whether the name of a model is that of a network that is brought along."""
    return model.startswith(EXTERNAL)
