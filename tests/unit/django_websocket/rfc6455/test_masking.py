from django_websocket.rfc6455.masking import apply_mask


def test_the_example_of_the_rfc():
    """RFC 6455 section 5.7: a single-frame masked text message that contains "Hello"."""
    assert apply_mask(bytes.fromhex("7f9f4d5158"), bytes.fromhex("37fa213d")) == b"Hello"
