"""The one error type that bad input may raise."""


class DaTscanError(Exception):
    """Input that cannot be used: one sentence naming the file, what is wrong and what to do.

    The command line and the batch print it as it stands; any other exception is a defect of this software.
    """
