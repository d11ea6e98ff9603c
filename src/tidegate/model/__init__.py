"""What tidegate knows: plain values, no input or output."""
