"""What the hub knows, said in FHIR R4: plain dictionaries, no library (see README.md)."""
