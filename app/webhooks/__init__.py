"""What leaves Slipway for addresses that callers chose: checked, signed and sent."""
