"""Presence: who is in a channel."""
