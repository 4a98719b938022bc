"""`lambda-layers demo`: the main job on the embedded AWS, with real packages from the package index.

It works on a copy of examples/quickstart and runs the very commands that a user would type.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

_HERE = Path(__file__).parent.parent
_PLACES = (_HERE / "quickstart", _HERE.parent / "examples" / "quickstart")
"""Where the example stands: in an installed package, and in a checkout."""
_INPUT = Path("layers/web.in")
_OLD_PIN, _NEW_PIN = "orjson==3.11.0", "orjson==3.11.4"


def demo(run: Callable[[list[str]], int]) -> int:
    """Deploy, deploy again, raise one pin and deploy once more; return the first exit code that is not 0."""
    with tempfile.TemporaryDirectory(prefix="lambda-layers-demo-") as folder:
        example = next(location for location in _PLACES if location.is_dir())
        shutil.copytree(example, folder, dirs_exist_ok=True)
        with chdir(folder):
            return (
                _step(run, "1. The first deployment: everything is new", "deploy --aws local")
                or _step(run, "2. Again: the dependency hashes are the same", "deploy --aws local")
                or _raise_pin()
                or _step(run, "   and lock anew", "lock --quiet")
                or _step(run, "   Only that layer and its functions move", "deploy --aws local")
            )


def _step(run: Callable[[list[str]], int], title: str, command: str) -> int:
    _say(f"\n{title}\n$ lambda-layers {command}\n")
    return run(command.split())


def _raise_pin() -> int:
    _say(f"\n3. Raise one pin in {_INPUT}\n- {_OLD_PIN}\n+ {_NEW_PIN}\n")
    _INPUT.write_text(_INPUT.read_text("utf-8").replace(_OLD_PIN, _NEW_PIN), "utf-8")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
