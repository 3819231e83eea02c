"""What every process needs: configuration, health, logs, locks, metrics, secrets."""
