"""The one exception that stands for a user's mistake, and what others say in a line."""


class UserError(Exception):
    """A mistake that a user can mend.

    The message is one line: which file or field, what was expected, what to do.
    The command line and the notebooks show that line without a stack trace.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it, a line each."""
        return [f"{type(self).__name__}: {self}"]


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says anything, or the error's name."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)
