"""Tenants of the project: a schema each, chosen by the host's name."""
