#!/bin/sh
# The models' golden vectors on the runtime that .venv does not have: tflite-runtime (Python 3.11, numpy 1) and
# ai-edge-litert (numpy 2) must answer alike. Makes .venv-other for it.
set -eu
cd "$(dirname "$0")/../.."

python=.venv/bin/python
if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
    packages='ai-edge-litert>=1.4,<3 numpy>=2.1,<3'
    base=$("$python" -c 'import sys; print(sys._base_executable)')
else
    packages='tflite-runtime~=2.14 numpy>=1.26,<2'
    base=$(command -v python3.11 || true)
    if [ -z "$base" ]; then
        echo 'tflite-runtime is made for Python 3.11 at most, and there is none here: checked on ai-edge-litert only.' >&2
        exit 0
    fi
fi
pydantic=$("$python" -c 'from importlib.metadata import version as v; print(v("pydantic"))')

want="$base $packages $pydantic"
if [ "$(cat .venv-other/prepared 2>/dev/null || true)" != "$want" ]; then
    echo "Making .venv-other with $packages" >&2
    "$base" -m venv --clear .venv-other
    # shellcheck disable=SC2086  # a list of words
    .venv-other/bin/python -m pip install --quiet --disable-pip-version-check $packages "pydantic==$pydantic" >&2
    printf '%s' "$want" > .venv-other/prepared
fi
.venv-other/bin/python -m tests.models.check_runtime
