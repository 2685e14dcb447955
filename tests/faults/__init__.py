"""The fault suite: what the hub promises, tried with real kills, power cuts, full cards and broken links."""
