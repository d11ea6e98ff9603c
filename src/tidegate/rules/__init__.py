"""Review rules: one module a rule, in a folder a family; its name is what it flags."""
