"""What teams have installed: the real packages, each in an environment of its own, with the stack.

``environments``  makes the environments
``site``          the project behind nginx, and what its sockets' process runs with
``visit``         what clients do there, the same with every tool
``browser``       logs in and out there
``account``       runs a tool's environment and says what came of it
``sink``          where a tool's reports go
``with_…``        the project's settings with one tool, as its documentation says
``tenants``       the project with a schema for each tenant
``accounts``      the project with other pages for logging in, a lock-out and a maintenance mode
"""
