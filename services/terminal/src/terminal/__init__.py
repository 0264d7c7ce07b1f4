"""What a person sees in a terminal: the live ladder, and where the time of quotes goes."""
