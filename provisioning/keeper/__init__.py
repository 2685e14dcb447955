"""The keeper: what runs on the hub's machine, as root and outside of the slots, so that no release of the
hub can break it. Standard library only (Python 3.11 and 3.13), and nothing of `hub`: it must work where the
hub does not.
"""
