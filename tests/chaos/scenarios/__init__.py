"""What happens to stores; each group shares a store and two replicas, and its scenarios follow one another."""
