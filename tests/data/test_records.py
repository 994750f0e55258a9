import io

import numpy as np
import pytest
from PIL import Image

from residual_ensembles.data import records


def test_a_record_is_its_picture_and_label():
    assert records.decode(records.encode(b"\x89PNG...", 999)) == (b"\x89PNG...", 999)


@pytest.mark.parametrize("n", [0, 1, 300])
def test_what_is_written_is_read_by_index(tmp_path, n):
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
def test_pictures_of_other_kinds_are_converted(mode, format_, channels):
    file = io.BytesIO()
    Image.new(mode, (5, 4)).save(file, format_)
    image = records.open_picture(file.getvalue(), channels)
    assert (image.size, image.mode) == ((5, 4), "L" if channels == 1 else "RGB")


def test_broken_pictures_are_refused(encode):
    whole = encode(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8), "JPEG")
    with pytest.raises(ValueError, match=r"a broken picture, .*truncated"):
        records.open_picture(whole[: len(whole) // 2], 3)
    with pytest.raises(ValueError, match="neither a JPEG nor a PNG"):
        records.open_picture(b"no picture", 3)
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "GIF")
    with pytest.raises(ValueError, match="neither a JPEG nor a PNG"):
        records.open_picture(file.getvalue(), 3)


def test_pictures_of_more_than_eight_bits_are_refused():
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(file, "PNG")
    with pytest.raises(ValueError, match="more than eight bits"):
        records.open_picture(file.getvalue(), 1)
