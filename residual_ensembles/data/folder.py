"""Validation of a tree of images, train|test / class / image.

`tfds.folder_dataset.ImageFolder` reads such a tree, and reads whatever it finds: an empty folder
becomes a class and shifts the labels of those after it, and files that it does not know are passed
over. So the tree is checked first, and refused where it would be misread.
"""

import os
from pathlib import Path

from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png")  # what ImageFolder reads
TEST_SPLITS = ("test", "validation")  # which folders may be the test split, the first found
EXPECTED = "expected a tree train|test/<class>/*.jpg"
CIFAR10_CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]  # Krizhevsky 2009


def check_tree(root: Path) -> None:
    """Raises an error for a tree that would be misread; checks names, not images.

    Args:
        root: Folder that holds `train` and `test` (or `validation`).

    Raises:
        ValueError: The folder or a subfolder is missing, empty, or has something in it that is
            not an image, or a name that is not UTF-8; there is one class; or the splits have
            different classes.
    """
    if not root.is_dir():
        problem = "which is a file" if root.exists() else "which does not exist"
        raise ValueError(f"Received folder:{root}, {problem}; {EXPECTED}.")
    splits = {path.name: _class_folders(path) for path in _folders(root)}
    test = next((name for name in TEST_SPLITS if name in splits), None)
    if "train" not in splits or test is None:
        raise ValueError(
            f"Received folder:{root} with {_listing(splits)}; {EXPECTED}. Images to test on go "
            "into test/ (or validation/): move some of each class there from train/."
        )
    for split, classes in splits.items():
        if len(classes) < 2:
            raise ValueError(
                f"Received {root / split} with {_listing(classes)} as classes; expected a folder "
                "for each of two or more classes."
            )
        if classes != splits["train"]:
            raise ValueError(
                f"Received {root} with different classes in train and {split}: only one has "
                f"{_listing(set(classes) ^ set(splits['train']))}. Expected the same in both."
            )
        for name in classes:
            _check_class(root / split / name)


def is_cifar10_jpeg(root: Path) -> bool:
    """Returns whether a checked tree holds CIFAR-10's ten classes as 32×32 JPEG images."""
    if _class_folders(root / "train") != CIFAR10_CLASSES:
        return False
    first = next(path for path in _visible(root / "train" / CIFAR10_CLASSES[0]))
    try:
        with Image.open(first) as image:
            return image.format == "JPEG" and image.size == (32, 32)
    except OSError:  # a broken image is named where all are looked into
        return False


def _check_class(folder: Path) -> None:
    files = _visible(folder)
    if not files:
        raise ValueError(
            f"Received {folder}, which is empty; expected images of that class. Add some, or "
            "remove the folder from every split."
        )
    for path in files:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            raise ValueError(
                f"Received {path}{_what_it_is(path)}; expected only files that end in "
                f"{', '.join(SUFFIXES)}. Convert or remove it."
            )


def _what_it_is(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f", a link to {path.readlink()}, which is not there"
    if path.is_dir():
        return ", a folder"
    return "" if path.is_file() else ", a pipe, socket or device"


def _class_folders(split: Path) -> list[str]:
    for path in _visible(split):
        if not path.is_dir():
            raise ValueError(f"Received {path} beside the classes' folders; {EXPECTED}.")
    return [path.name for path in _folders(split)]


def _folders(parent: Path) -> list[Path]:
    return [path for path in _visible(parent) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """Returns the content of a folder, sorted, without hidden files that file managers leave.

    Hidden folders stay: ImageFolder makes classes of them.
    """
    result = [path for path in folder.iterdir() if not path.name.startswith(".") or path.is_dir()]
    for path in result:
        try:
            path.name.encode()
        except UnicodeEncodeError:  # TensorFlow cannot open it
            raise ValueError(
                f"Received {os.fsencode(path)!r}, a name that is not UTF-8; expected one that is. "
                "Rename it."
            ) from None
    return sorted(result)


def _listing(names) -> str:
    names = sorted(names)
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return shown or "nothing in it"
