"""Steps whose tables are there already: compared with what the steps make, then only recorded."""
