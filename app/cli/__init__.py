"""The command line: processes for operators, and verbs that speak HTTP only."""
