"""`tidegate init`: what a project needs around its code, written where it is missing."""
