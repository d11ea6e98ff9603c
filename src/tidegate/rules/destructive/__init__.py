"""What can't be had back."""
