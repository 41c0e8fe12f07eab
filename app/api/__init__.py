"""HTTP: reads requests strictly, asks the use cases, and answers in one form."""
