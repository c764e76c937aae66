"""The pickle reader takes any bytes: it reads data, or refuses in one line, and runs nothing."""

import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.checkpoints.pickles.reader import read_pickle
from tests.fuzzing.pieces import SOUND_PICKLES, mutated, opcodes

# What comes back as it was: no NaN, which equals nothing, and no bytes of protocol 2, which are
# calls there.
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False)
    | st.text(max_size=300) | st.sets(st.text(max_size=3), max_size=3)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(-(2**47), 2**47), inner, max_size=5)
    ),
    max_leaves=12,
)
KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]


@given(content=st.binary(max_size=200))
def test_any_bytes(content, outcome):
    outcome(read_pickle, content)


@given(content=st.binary(max_size=200), protocol=st.integers(2, 5))
def test_any_bytes_after_a_start(content, protocol, outcome):
    outcome(read_pickle, bytes([0x80, protocol]) + content + b".")


@given(content=mutated(st.sampled_from(SOUND_PICKLES)))
@settings(max_examples=400)
def test_sound_pickles_with_damage(content, outcome):
    outcome(read_pickle, content)


@given(content=opcodes())
@settings(max_examples=500)
def test_opcodes_in_any_order(content, outcome):
    outcome(read_pickle, content)


@given(content=mutated(opcodes()))
def test_opcodes_in_any_order_with_damage(content, outcome):
    outcome(read_pickle, content)


@given(value=VALUES, protocol=st.integers(2, 5))
def test_plain_values_come_back(value, protocol, outcome):
    assert outcome(read_pickle, pickle.dumps([value], protocol)) == [value]


@given(
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(1, 4), max_size=4),  # empty ones are calls in protocol 2
    column_major=st.booleans(),
    protocol=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_arrays_come_back(kind, shape, column_major, protocol, seed, outcome):
    count = int(np.prod(shape, dtype=int))
    values = np.random.RandomState(seed).randint(0, 2, count).astype(kind).reshape(shape)
    values = np.asfortranarray(values) if column_major else values
    (found,) = outcome(read_pickle, pickle.dumps([values], protocol))
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
