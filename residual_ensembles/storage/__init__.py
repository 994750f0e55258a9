"""Storage: atomic files and folders, fingerprints, provenance."""
