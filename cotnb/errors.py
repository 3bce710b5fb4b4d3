"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A mistake that a user can mend.

    The message is one line: which file or field, what was expected, what to do.
    The command line and the notebooks show that line without a stack trace.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it, a line each."""
        return [f"{type(self).__name__}: {self}"]
