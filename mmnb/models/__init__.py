"""Floor 2: small models that train in seconds, and adapters to public ones."""
