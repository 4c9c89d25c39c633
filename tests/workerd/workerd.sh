#!/bin/sh
# workerd, ended with its parent: a Node that is killed cannot end it, and it would run
# indefinitely.
if command -v setpriv >/dev/null; then
  exec setpriv --pdeathsig KILL "$WORKERD" "$@"
fi
exec "$WORKERD" "$@"
