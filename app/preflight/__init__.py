"""Find in seconds what would fail at a target in minutes; pure, one rule a place."""
