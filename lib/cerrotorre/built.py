"""What the build fixed; `make` writes it anew with its own SYSCONFDIR."""

SYSCONFDIR = "/etc"
