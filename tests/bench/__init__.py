"""`make bench`: what the hub costs and how fast it is, each figure beside another of the same run."""
