"""FastAPI, thin: headers in, users out, errors turned into responses."""
