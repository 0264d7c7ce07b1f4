"""The order channel: what front ends and the execution engine tell each other."""
