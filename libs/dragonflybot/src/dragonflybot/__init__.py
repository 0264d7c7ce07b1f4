"""What is installed by the name of the whole: its extras choose the services."""
