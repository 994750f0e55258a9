import os

import pytest
from PIL import Image

from residual_ensembles.data.folder import CIFAR10_CLASSES, check_tree, is_cifar10_jpeg


def test_a_good_tree_is_accepted(make_tree):
    root = make_tree()
    (root / "train" / "cat" / ".DS_Store").write_text("left by a file manager")
    (root / "README.txt").write_text("beside the splits, where it does no harm")
    (root / "test" / "dog" / "0000.jpg").rename(root / "test" / "dog" / "0000.JPEG")
    check_tree(root)


def test_validation_may_stand_for_test(make_tree):
    root = make_tree()
    (root / "test").rename(root / "validation")
    check_tree(root)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"folder:.*missing"):
        check_tree(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"folder:.*file"):
        check_tree(tmp_path / "file")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"folder:{tmp_path}"):
        check_tree(tmp_path)


def test_a_missing_split_is_refused(make_tree):
    root = make_tree()
    (root / "test").rename(root / "held_out")
    with pytest.raises(ValueError, match="held_out, train"):
        check_tree(root)
    (root / "held_out").rename(root / "test")
    (root / "train").rename(root / "training")
    with pytest.raises(ValueError, match="test, training"):
        check_tree(root)


def test_one_class_is_refused(make_tree):
    with pytest.raises(ValueError, match="test with cat"):
        check_tree(make_tree(classes=["cat"]))


def test_an_empty_class_is_refused(make_tree):
    root = make_tree()
    for split in ("train", "test"):
        (root / split / "elk").mkdir()
    with pytest.raises(ValueError, match="test/elk"):
        check_tree(root)


def test_different_classes_are_refused(make_tree):
    root = make_tree()
    (root / "train" / "elk").mkdir()
    with pytest.raises(ValueError, match=r"train and test.* elk"):
        check_tree(root)


def test_hidden_folders_would_become_classes(make_tree):
    root = make_tree()
    (root / "train" / ".ipynb_checkpoints").mkdir()
    with pytest.raises(ValueError, match=r"\.ipynb_checkpoints"):
        check_tree(root)


def test_folders_links_and_pipes_named_like_images_are_refused(make_tree):
    root = make_tree()
    path = root / "test" / "dog" / "z.jpg"
    path.symlink_to("gone.jpg")
    with pytest.raises(ValueError, match=r"z\.jpg, a link to gone\.jpg"):
        check_tree(root)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=r"z\.jpg, a folder"):
        check_tree(root)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"z\.jpg, a pipe"):
        check_tree(root)


@pytest.mark.parametrize("where", ["test/dog", "test", "train/cat"])
def test_names_that_are_not_utf8_are_named(make_tree, where):
    root = make_tree()
    os.mkdir(os.fsencode(root / where) + b"/caf\xe9.jpg")
    with pytest.raises(ValueError, match=r"caf\\xe9\.jpg"):
        check_tree(root)


@pytest.mark.parametrize("name", ["0004.webp", "notes.txt", "Thumbs.db"])
def test_other_files_are_refused_by_name(make_tree, name):
    root = make_tree()
    (root / "test" / "dog" / name).write_text("")
    with pytest.raises(ValueError, match=f"test/dog/{name}"):
        check_tree(root)


def test_files_beside_the_classes_are_refused(make_tree):
    root = make_tree()
    (root / "train" / "stray.jpg").write_text("")
    with pytest.raises(ValueError, match=r"stray\.jpg"):
        check_tree(root)


def test_cifar10_is_recognized(make_tree):
    assert is_cifar10_jpeg(make_tree(CIFAR10_CLASSES, 1, (32, 32), "cifar"))
    assert not is_cifar10_jpeg(make_tree(CIFAR10_CLASSES, 1, (64, 64), "larger"))
    assert not is_cifar10_jpeg(make_tree(CIFAR10_CLASSES, 1, (32, 32), "lossless", suffix="png"))
    assert not is_cifar10_jpeg(make_tree(("cat", "dog"), 1, (32, 32), "two"))


def test_a_broken_image_is_left_to_the_scan(make_tree):
    root = make_tree(CIFAR10_CLASSES, 1, (32, 32))
    (root / "train" / "airplane" / "0000.jpg").write_text("no image")
    assert not is_cifar10_jpeg(root)
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(root / "train" / "airplane" / "0000.jpg")
