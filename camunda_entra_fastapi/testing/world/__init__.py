"""What an endpoint may ask and change."""
