"""``postgresql://``: messages between all processes with the same PostgreSQL.

LISTEN and NOTIFY carry them. It is a Django app as well: its migration makes the tables.
"""
