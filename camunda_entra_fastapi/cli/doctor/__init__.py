"""What is wrong with a configuration, step by step."""
