"""The readers of torch.save's files and of zip archives take any bytes."""

import io
import zipfile

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.checkpoints.pickles.stored_zip import contents, read_directory
from latentlab.checkpoints.pickles.torch_save import STREAM_START, ZIP_START, read_torch
from latentlab.errors import CheckpointError
from tests.fuzzing.pieces import FRAGMENTS, NAMES, SOUND_ARCHIVES, SOUND_STREAMS, mutated
from tests.support import attacks

TENSORS = st.builds(
    lambda shape, dtype, seed: torch.randint(
        0, 2, shape, generator=torch.Generator().manual_seed(seed)
    ).to(dtype),
    st.lists(st.integers(0, 3), max_size=4),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool]),
    st.integers(0, 2**32 - 1),
)


def sections(content):
    """What our reader finds in an archive: the content of each member, or None if it refuses."""
    file = io.BytesIO(content)
    try:
        members, last = read_directory(file, len(content))
        found = contents(file, last, members)
    except CheckpointError:
        return None
    return {name: content[part.start : part.start + part.size] for name, part in found.items()}


def by_zipfile(content):
    """What Python's own reader finds there, or None if it refuses."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # of about ten kinds for damaged files
        return None


@given(content=st.binary(max_size=300), start=st.sampled_from([b"", ZIP_START, STREAM_START]))
def test_any_bytes(content, start, outcome):
    outcome(read_torch, start + content)


@given(content=mutated(st.sampled_from(SOUND_ARCHIVES + SOUND_STREAMS)))
@settings(max_examples=400)
def test_sound_files_with_damage(content, outcome):
    outcome(read_torch, content)


@given(parts=st.lists(FRAGMENTS, max_size=8), extra=st.dictionaries(NAMES, st.binary(max_size=9)))
def test_opcodes_in_any_order_in_an_archive(parts, extra, outcome):
    body = attacks.finish(b"".join(parts), 2)
    outcome(read_torch, attacks.archive(data__pkl=body, **extra))


@given(parts=st.lists(FRAGMENTS, max_size=8))
def test_opcodes_in_any_order_in_a_stream(parts, outcome):
    outcome(read_torch, attacks.streamed(b"".join(parts)))


@given(tensors=st.dictionaries(NAMES, TENSORS, max_size=4), zipped=st.booleans())
@settings(max_examples=100)
def test_state_dicts_come_back(tensors, zipped, outcome):
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=zipped)
    found = outcome(read_torch, file.getvalue())
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@given(members=st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5))
def test_stored_archives_come_back(members):
    assert sections(attacks.zipped(members)) == members


@given(content=mutated(st.sampled_from([*SOUND_ARCHIVES, attacks.zipped({"a": b"1", "b/c": b""})])))
@settings(max_examples=600)
def test_what_is_accepted_is_what_other_readers_see(content):
    """Otherwise one reader could check what another one then uses."""
    found, elsewhere = sections(content), by_zipfile(content)
    assert found is None or elsewhere is None or found == elsewhere
