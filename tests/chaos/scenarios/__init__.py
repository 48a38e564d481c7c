"""Stores, and what happens to them, one scenario after another."""
