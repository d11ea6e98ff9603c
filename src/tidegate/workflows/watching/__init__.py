"""`make --watch`: migrations made and applied while models change, and folded into one."""
