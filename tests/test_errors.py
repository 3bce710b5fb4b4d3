"""A user's mistake is one line, in a notebook as well."""

from IPython.core.interactiveshell import InteractiveShell


def test_a_notebook_shows_a_mistake_without_its_stack(capsys):
    shell = InteractiveShell()
    cell = "from cotnb.tasks import load_task\nload_task('gsm9k', 'test')"
    found = shell.run_cell(cell)
    shown = capsys.readouterr().out.strip()
    assert shown.startswith("UserError: no task 'gsm9k'; there are ")
    assert "\n" not in shown and found.error_in_exec is not None
