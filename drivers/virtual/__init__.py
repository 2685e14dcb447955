"""A ward of virtual sensors on a radio of software, for the demo and the tests: see README.md."""

from hub.errors import CareportError


class VirtualWardError(CareportError):
    """The virtual ward cannot do what was asked of it."""


try:
    import bumble  # noqa: F401 -- only to say at once, and clearly, that it is missing
except ImportError as error:
    raise VirtualWardError(
        "the virtual ward needs the package bumble, which a hub with real sensors does not: "
        "pip install 'carehub[virtual]'"
    ) from error
