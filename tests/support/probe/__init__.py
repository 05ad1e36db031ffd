"""The shipped project, and below /probe/ two views that tell what reached them.

The stack of the integration tests runs with these settings instead of the project's own.
"""
