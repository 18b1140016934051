#!/bin/bash
# Fails if docs/backends.md is not what the registries say: TOOL PAGE BACKEND...
set -eu
exec "$1" check "${@:2}"
