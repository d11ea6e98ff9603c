"""What an app, a probe and an orchestrator may ask: alive, ready, started."""
