"""Inside the app's image: boot, wait, seal, status, migrate. Standard library only."""
