"""How fast tokens are judged, beside the bare signature check and the peers. Run by ``make bench``."""
