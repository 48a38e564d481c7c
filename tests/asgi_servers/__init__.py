"""The same questions to every ASGI server: ``make servers`` asks them, and compares with what is kept."""
