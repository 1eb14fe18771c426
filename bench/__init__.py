"""The benchmark: Tandem against the usual way, on one PostgreSQL with fsync on. `make bench`."""
