"""The state that the emulator's endpoints share."""
