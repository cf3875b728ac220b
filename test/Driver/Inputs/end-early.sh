#!/usr/bin/env bash
# end-early.sh FOLDER COMMAND...
#
# Runs COMMAND and ends it as soon as it has begun to write FOLDER/model.
folder=$1
shift
"$@" &
until compgen -G "$folder/model.tmp-*" >/dev/null; do
  kill -0 $! 2>/dev/null || { echo "ended by itself"; exit 1; }
done
kill -TERM $!
wait $!
echo "ended with its output begun"
