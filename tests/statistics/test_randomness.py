import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.statistics.randomness import generator, integer_seed

purposes = st.lists(st.one_of(st.text(max_size=8), st.integers(0, 2**40)), max_size=4).map(tuple)


@given(seed=st.integers(0, 2**32), purpose=purposes)
def test_a_draw_is_a_function_of_seed_and_purpose(seed, purpose):
    a, b = generator(seed, *purpose), generator(seed, *purpose)
    np.testing.assert_array_equal(a.random(3), b.random(3))
    assert integer_seed(seed, *purpose) == integer_seed(seed, *purpose)
    assert 0 <= integer_seed(seed, *purpose) < 2**31


def test_other_purposes_and_seeds_draw_otherwise():
    draws = {
        float(generator(seed, word, number).random())
        for seed in (0, 1)
        for word in ("gates", "order")
        for number in (0, 1)
    }
    assert len(draws) == 8
