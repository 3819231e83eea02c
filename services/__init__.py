"""The program, room by room; which room stands on which floor is told in docs/architecture.md."""
