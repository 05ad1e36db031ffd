"""The project with allauth's pages, axes' lock-out and a maintenance mode."""
