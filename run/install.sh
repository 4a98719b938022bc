# Install the packages of requirements/action.txt, by their hashes, into an environment of their own.
set -euo pipefail
environment="$RUNNER_TEMP/lambda-layers-environment"
[ ! -f "$environment/ready" ] || exit 0
python=$(command -v python3 || command -v python)
"$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lambda-layers needs Python 3.11 or later: add actions/setup-python before this step")'
"$python" -I -m venv --clear "$environment"
bin="$environment/bin"
[ -d "$bin" ] || bin="$environment/Scripts" # on Windows
"$bin/python" -I -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: --require-hashes --requirement "$GITHUB_ACTION_PATH/../requirements/action.txt"
"$bin/python" -I "$GITHUB_ACTION_PATH/register.py"
touch "$environment/ready"
