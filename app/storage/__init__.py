"""The only place with SQL: one module per aggregate, rows in, snapshots out."""
