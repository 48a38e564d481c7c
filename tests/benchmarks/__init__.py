"""How fast tokens are validated, beside the bare signature check and the peers. Run by ``make bench``."""
