"""Real stores that fail under load: ``make chaos``. It fails where a promise is broken, and says which."""
