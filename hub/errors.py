"""One base error; each layer derives one of its own that carries what failed."""


class CareportError(Exception):
    """Base of every error that CarePort raises on purpose.

    The text is written for the person who has to mend it: it names the thing that failed
    and says what to do. The command line prints it as it is, without a traceback.
    """
