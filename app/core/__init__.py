"""What Slipway is about, in plain Python: no framework is imported here."""
