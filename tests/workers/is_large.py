"""Takes memory when it is imported, so that its process takes a while to die."""

memory = [b"\x01" * (1 << 20) for _ in range(60)]
