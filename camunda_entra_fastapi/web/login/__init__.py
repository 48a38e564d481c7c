"""The pages for signing in and out with a browser."""
