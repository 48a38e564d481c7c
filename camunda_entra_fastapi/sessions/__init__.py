"""Where a sign-in lives between two requests: in the browser, in this process, or in a Redis."""
