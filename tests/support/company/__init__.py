"""What teams have installed: the real packages, each in an environment of its own, with the stack.

``environments``  makes the environments
``site``          the project behind nginx, and what its sockets' process runs with
``visit``         what clients do there, the same with every tool
``sink``          where a tool's reports go
``with_…``        the project's settings with one tool, as its documentation says
"""
