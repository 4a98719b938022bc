# Run the command of the inputs. -I: nothing of the user's checkout is imported.
set -euo pipefail
bin="$RUNNER_TEMP/lambda-layers-environment/bin"
[ -d "$bin" ] || bin="$RUNNER_TEMP/lambda-layers-environment/Scripts" # on Windows
exec "$bin/python" -I -c 'import sys; from entrypoint.cli import main; sys.exit(main([]))'
