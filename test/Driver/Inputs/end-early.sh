#!/usr/bin/env bash
# end-early.sh COMMAND...
#
# Runs COMMAND with a linker that is late, and ends COMMAND as soon as that has
# begun: the linker sees COMMAND end and only then writes its output. Prints
# "ended while it linked" when both are gone.
late=$(mktemp -d)
trap 'rm -r "$late"' EXIT
cat >"$late/clang++-22" <<EOF
#!/usr/bin/env bash
while [[ \$1 != -o ]]; do shift; done
echo \$PPID >"$late/begun"
while kill -0 \$PPID 2>/dev/null; do sleep 0.01; done
echo program >"\$2"
echo "\$2" >"$late/written"
EOF
chmod +x "$late/clang++-22"
PATH=$late:$PATH "$@" &
until [[ -s $late/begun ]]; do
  kill -0 $! 2>/dev/null || { echo "ended by itself"; exit 1; }
  sleep 0.01
done
kill -TERM $!
wait $!
until [[ -s $late/written ]]; do sleep 0.01; done
# What linkers make of their own lies among other temporary files.
written=$(<"$late/written")
[[ $written != */weir-linked* ]] || rm "$written"
echo "ended while it linked"
