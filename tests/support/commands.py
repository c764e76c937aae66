"""Commands as a user gives them, within this process."""

from click.testing import CliRunner, Result

from cli.main import main


def run(*arguments: object) -> Result:
    """Run a command of latentlab; an error that it does not tell the user fails the test."""
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def succeeded(result: Result) -> Result:
    """Return the result of a command that must have ended with 0."""
    assert result.exit_code == 0, result.stderr
    return result
