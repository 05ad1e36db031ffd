"""Whatever a client sends, cut wherever: our fast path changes nothing that the library does."""

import pytest
from hypothesis import HealthCheck, given, settings

from support.frame_streams import by_engine, by_library, streams


@pytest.mark.timeout(600)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams())
def test_the_fast_path_and_the_library_agree(chunks):
    assert by_engine(chunks) == by_library(chunks)
