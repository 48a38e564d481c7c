"""Session stores: in the browser's cookies, in this process, or in a Redis."""
