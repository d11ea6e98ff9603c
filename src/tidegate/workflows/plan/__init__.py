"""The story of `plan` and `apply`: rehearse what is pending, judge it, ship exactly that."""
