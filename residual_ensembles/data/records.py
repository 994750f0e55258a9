"""Encoded images in an ArrayRecord file, read by index without TensorFlow.

One record is an image's label, four bytes, followed by the image's own bytes, JPEG or PNG as the
source had them: nothing is decoded and encoded again, and images keep their sizes.
"""

import contextlib
import errno
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from PIL import Image

PALETTE = "with a palette"
CMYK = "CMYK"
TRANSPARENT = "transparent (the colors beneath are taken)"
FRAMES = "of several frames (the first is taken)"
TURNED = "to be turned, as their EXIF says (they are taken as stored)"
"""Properties that an image may have besides gray or RGB. A decoder without EXIF and transparency,
such as TensorFlow's, decodes the same."""

_ORIENTATION, _UPRIGHT = 0x0112, 1  # of EXIF
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH = 24  # where a PNG image says how many bits a channel has
_LABEL = struct.Struct("<i")
# One image a group, so that reading one reads no other; JPEG and PNG are compressed already.
_WRITER_OPTIONS = "group_size:1,uncompressed"
_READER_OPTIONS = "readahead_buffer_size:0"  # images are read in random order


def encode(image: bytes, label: int) -> bytes:
    """Returns the record of an encoded image and its label."""
    return _LABEL.pack(label) + image


def decode(record: bytes) -> tuple[bytes, int]:
    """Returns the encoded image and the label of a record."""
    return record[_LABEL.size :], _LABEL.unpack_from(record)[0]


def open_image(encoded: bytes, channels: int) -> Image.Image:
    """Decodes an image.

    Args:
        encoded: Its JPEG or PNG bytes.
        channels: 1 for gray, 3 for color; an image of another kind is converted.

    Raises:
        ValueError: The bytes are not a whole image; says what is wrong with them.
    """
    try:
        image = Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG"))
        is_png = encoded.startswith(_PNG)
        if image.mode.startswith(("I", "F")) or (is_png and encoded[_PNG_DEPTH] > 8):
            raise ValueError("more than eight bits a channel")
        return image.convert("L" if channels == 1 else "RGB")
    except Image.UnidentifiedImageError:
        raise ValueError("neither a JPEG nor a PNG image") from None
    except Exception as error:  # Pillow's decoders raise what they like on broken files
        raise ValueError(f"a broken image, {error}") from None


def conversions(image: Image.Image) -> list[str]:
    """Returns what `open_image` makes of an image besides changing gray to RGB or back."""
    result = {
        PALETTE: image.mode in ("P", "PA"),
        CMYK: image.mode == "CMYK",
        TRANSPARENT: image.has_transparency_data,
        FRAMES: getattr(image, "n_frames", 1) > 1,
        TURNED: _is_turned(image),
    }
    return [kind for kind, is_so in result.items() if is_so]


def _is_turned(image: Image.Image) -> bool:
    if "exif" not in image.info:  # asking for it would decode a PNG image
        return False
    try:
        return image.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT
    except Exception:  # a broken header, which changes nothing that is decoded
        return False


class RecordWriter:
    """Writes encoded images and their labels to a new ArrayRecord file.

    Raises:
        OSError: The file cannot be written, or the disk is full.
    """

    def __init__(self, path: Path):
        self._path = path
        with self._system_errors():
            self._writer = ArrayRecordWriter(str(path), _WRITER_OPTIONS)

    def add(self, images: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded images, JPEG or PNG, with their labels."""
        for image, label in zip(images, labels.tolist(), strict=True):
            self.write(encode(image, label))

    def write(self, record: bytes) -> None:
        """Appends a record."""
        with self._system_errors():
            self._writer.write(record)

    def close(self) -> int:
        """Finishes the file, and returns how many images can be read back."""
        with self._system_errors():
            self._writer.close()
        return open_records(self._path).num_records()

    @contextlib.contextmanager
    def _system_errors(self) -> Iterator[None]:
        """Raises the system's errors, which the library's carry as text only."""
        try:
            yield
        except RuntimeError as error:
            for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES):
                if os.strerror(code) in str(error):
                    raise OSError(code, os.strerror(code), str(self._path)) from error
            raise OSError(errno.EIO, str(error), str(self._path)) from error


def open_records(path: Path) -> ArrayRecordReader:
    """Opens an ArrayRecord file for reading by index; a missing or damaged one has no records."""
    return ArrayRecordReader(str(path), _READER_OPTIONS)
