"""Real stores that fail under load: ``make chaos``. Promises are kept, or the run fails and says which was not."""
