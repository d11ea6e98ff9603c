"""What runs a project: one module a target, found by walking this folder."""
