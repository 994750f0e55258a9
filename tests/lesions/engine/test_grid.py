import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.lesions.engine.grid import BATCHES_IN_MEMORY, grid


@given(st.integers(1, 5000), st.integers(1, 2**22), st.integers(0, 8))
def test_chunks_cover_all_images_and_batches_fit(n_images, row_bytes, extra):
    memory = row_bytes * BATCHES_IN_MEMORY * 2**extra
    result = grid(n_images, row_bytes, memory)
    chunks = result.chunks()
    assert [i for chunk in chunks for i in range(n_images)[chunk]] == list(range(n_images))
    assert result.batch_sizes[0] * row_bytes <= memory / BATCHES_IN_MEMORY
    assert result.batch_sizes[0] % result.chunk == 0
    assert list(result.batch_sizes) == sorted(set(result.batch_sizes), reverse=True)


def test_a_chunk_fills_a_batch():
    row = 32 * 32 * 16 * 4
    assert grid(10_000, row)[1:] == (500, (500, 250, 125, 63, 32, 16, 8))  # at most 512
    assert grid(513, row)[1:] == (257, (257, 129, 65, 33, 17, 9, 5))


def test_a_chunk_of_small_activations_has_a_limit_too():
    assert grid(10_000, 8 * 8 * 16 * 4)[1:3] == (
        1000,
        (8000, 4000, 2000, 1000, 500, 250, 125, 63, 32, 16, 8),
    )


def test_of_few_images_a_batch_has_those_of_several_lesions():
    assert grid(100, 32 * 32 * 16 * 4)[1:] == (100, (400, 200, 100, 50, 25, 13, 7))


def test_a_batch_size_is_a_limit():
    assert grid(1000, 4096, batch_size=96).batch_sizes[0] <= 96


def test_memory_for_less_than_an_image_is_refused():
    with pytest.raises(ValueError, match=r"6399 bytes .* 6400"):
        grid(10, 100, memory_bytes=6399)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="batch_size=0"):
        grid(10, 100, batch_size=0)
