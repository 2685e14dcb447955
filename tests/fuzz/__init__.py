"""The fuzzer: every decoder of the catalogue and every framer, under random, mutated and guided payloads."""
