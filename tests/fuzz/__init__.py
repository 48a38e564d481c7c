"""Fuzzing: hostile input of every kind that comes from outside, and what must hold whatever it is.

Hypothesis makes the inputs, and not atheris: it runs on every Python that is supported, has its inputs
shrunk to what matters, builds rightly signed tokens as easily as bytes, and is among the test tools anyway.

``make fuzz SECONDS=600`` looks for longer, ``SEED=…`` looks again where something was found.
"""
