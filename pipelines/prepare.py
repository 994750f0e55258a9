"""Stage `prepare`: brings a source of pictures into the format that every other stage reads.

`python -m pipelines.prepare --help`
"""

from absl import flags

from residual_ensembles import cli, data
from residual_ensembles.parameters import STORAGES

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string(
        "source", None, "digits, tfds:NAME, or folder:PATH with train|test/<class>/*.jpg in it"
    )
    flags.DEFINE_string("output_dir", None, "folder for the prepared data")
    flags.DEFINE_float(
        "validation_fraction", 0.1, "share of train that becomes validation, 0..1, less than 1", 0.0
    )
    flags.DEFINE_integer("seed", 0, "of the validation part and of the limits", 0)
    flags.DEFINE_integer("resize", 0, "height and width to bring pictures to, in pixels; 0: own", 0)
    flags.DEFINE_string("title", "", "the data's name as shown to people; default: the source's")
    flags.DEFINE_integer("limit_train", 0, "pictures of train and validation; 0: all", 0)
    flags.DEFINE_integer("limit_test", 0, "pictures of test; 0: all", 0)
    flags.DEFINE_enum(
        "storage", "auto", STORAGES, "arrays in memory, records on disk, or what fits the size"
    )
    flags.mark_flags_as_required(["source", "output_dir"])


def main() -> None:
    """Prepares the data that the flags name."""
    prepared = data.prepare(
        FLAGS.source,
        FLAGS.output_dir,
        validation_fraction=FLAGS.validation_fraction,
        seed=FLAGS.seed,
        resize=FLAGS.resize,
        title=FLAGS.title,
        limit_train=FLAGS.limit_train,
        limit_test=FLAGS.limit_test,
        storage=FLAGS.storage,
    )
    height, width, _ = prepared.picture_shape
    counts = ", ".join(f"{n} {part}" for part, n in prepared.description["counts"].items())
    print(f"{prepared.title}: {counts} pictures of {height}×{width} in {prepared.folder}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
