"""`lambda-layers demo`: the main job on the embedded AWS, with real packages from the package index.

It runs the commands that a user would type, on a copy of examples/quickstart.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands.command import Command, Result

if TYPE_CHECKING:
    from entrypoint.commands.context import Context

_HERE = Path(__file__).parent.parent
_EXAMPLES = (_HERE / "quickstart", _HERE.parent / "examples" / "quickstart")
"""The example: in an installed package, and in a checkout."""
_INPUT = Path("layers/web.in")
_OLD_PIN, _NEW_PIN = "orjson==3.11.0", "orjson==3.11.4"


def run(context: "Context") -> Result:
    """Deploy, deploy again, raise one pin and deploy once more; the exit code is the first that is not 0."""
    with tempfile.TemporaryDirectory(prefix="lambda-layers-demo-") as folder:
        example = next(path for path in _EXAMPLES if path.is_dir())
        shutil.copytree(example, folder, dirs_exist_ok=True)
        with chdir(folder):
            return Result(exit_code=_steps(context.main))


def _steps(main: Callable[[Sequence[str]], int]) -> int:
    return (
        _step(main, "1. The first deployment: everything is new", "deploy --aws local")
        or _step(main, "2. Again: the dependency hashes are the same", "deploy --aws local")
        or _raise_pin()
        or _step(main, "   Lock again", "lock --quiet")
        or _step(main, "   Only that layer and its functions change", "deploy --aws local")
    )


def _step(main: Callable[[Sequence[str]], int], title: str, command: str) -> int:
    _say(f"\n{title}\n$ lambda-layers {command}\n")
    return main(command.split())


def _raise_pin() -> int:
    _say(f"\n3. Raise one pin in {_INPUT}\n- {_OLD_PIN}\n+ {_NEW_PIN}\n")
    _INPUT.write_text(_INPUT.read_text("utf-8").replace(_OLD_PIN, _NEW_PIN), "utf-8")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


COMMAND = Command((), run)
