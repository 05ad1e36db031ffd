"""Whatever a client sends, cut wherever: our fast path changes nothing that the library does."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.frame_streams import by_engine, by_library, stream


@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 64))
def test_the_fast_path_and_the_library_agree(seed):
    chunks = stream(Random(seed))
    assert by_engine(chunks) == by_library(chunks)
