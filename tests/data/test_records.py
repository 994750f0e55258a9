import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from residual_ensembles.data import records
from tests.helpers.sources import encoded


def test_a_record_is_its_image_and_label():
    assert records.decode(records.encode(b"\x89PNG...", 999)) == (b"\x89PNG...", 999)


@pytest.mark.parametrize("n", [0, 1, 300])
def test_written_records_are_read_by_index(tmp_path, n):
    random = np.random.default_rng(0)
    written = [random.bytes(int(size)) for size in random.integers(0, 3000, n)]
    writer = records.RecordWriter(tmp_path / "x.array_record")
    for record in written:
        writer.write(record)
    writer.close()
    reader = records.open_records(tmp_path / "x.array_record")
    assert reader.num_records() == n
    if n:
        wanted = random.integers(0, n, 50).tolist()
        assert reader.read(wanted) == [written[i] for i in wanted]


def test_equal_records_make_equal_files(tmp_path):
    for name in ("a", "b"):
        writer = records.RecordWriter(tmp_path / name)
        for i in range(100):
            writer.write(bytes([i]) * 1000)
        writer.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(("mode", "format_"), [("L", "PNG"), ("CMYK", "JPEG"), ("RGBA", "PNG")])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_other_kinds_are_converted(mode, format_, channels):
    file = io.BytesIO()
    Image.new(mode, (5, 4)).save(file, format_)
    image = records.open_image(file.getvalue(), channels)
    assert (image.size, image.mode) == ((5, 4), "L" if channels == 1 else "RGB")


def saved(image, format_, **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter, clockwise
    return exif


GREY, RGB = Image.new("L", (5, 4)), Image.new("RGB", (5, 4), "red")
KINDS = {
    "gray": (saved(GREY, "PNG"), []),
    "rgb": (saved(RGB, "JPEG"), []),
    "upright": (saved(RGB, "JPEG", exif=Image.Exif()), []),
    "palette": (saved(RGB.convert("P"), "PNG"), [records.PALETTE]),
    "cmyk": (saved(RGB.convert("CMYK"), "JPEG"), [records.CMYK]),
    "alpha": (saved(Image.new("RGBA", (5, 4)), "PNG"), [records.TRANSPARENT]),
    "gray alpha": (saved(Image.new("LA", (5, 4)), "PNG"), [records.TRANSPARENT]),
    "clear palette": (
        saved(RGB.convert("P"), "PNG", transparency=0),
        [records.PALETTE, records.TRANSPARENT],
    ),
    "animated": (
        saved(RGB, "PNG", save_all=True, append_images=[Image.new("RGB", (5, 4), "blue")]),
        [records.FRAMES],
    ),
    "turned": (saved(RGB, "JPEG", exif=turned()), [records.TURNED]),
    "turned png": (saved(RGB, "PNG", exif=turned()), [records.TURNED]),
}


@pytest.mark.parametrize("name", KINDS)
def test_conversions_of_images_are_listed(name):
    image, kinds = KINDS[name]
    assert records.conversions(Image.open(io.BytesIO(image))) == kinds
    image = records.open_image(image, 3)
    assert (image.size, image.mode) == ((5, 4), "RGB")  # as it is stored: nothing is turned
    if name in ("animated", "turned png", "palette", "clear palette"):
        assert image.getpixel((2, 2)) == (255, 0, 0)


def test_broken_images_are_refused():
    full = encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8), "JPEG")
    with pytest.raises(ValueError, match="truncated"):
        records.open_image(full[: len(full) // 2], 3)
    with pytest.raises(ValueError, match="JPEG"):
        records.open_image(b"no image", 3)
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "GIF")
    with pytest.raises(ValueError, match="JPEG"):
        records.open_image(file.getvalue(), 3)


def png_of_16_bits(channels):
    """An image of 4×4, which Pillow reads but cannot write."""
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = (b"\0" + bytes(4 * channels * 2)) * 4
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 4, 4, 16, color_type, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_more_than_eight_bits_are_refused(channels):
    with pytest.raises(ValueError, match="bits"):
        records.open_image(png_of_16_bits(channels), 3)
