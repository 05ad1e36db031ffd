"""Views that answer events: by functions, and by a class."""
