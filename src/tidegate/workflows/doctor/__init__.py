"""The story of `tidegate doctor`: the project read once, every check asked, mends made."""
