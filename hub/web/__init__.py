"""The staff page: a process of its own, that reads beside the hub and asks it for every act."""
