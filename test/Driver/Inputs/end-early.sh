#!/usr/bin/env bash
# end-early.sh FOLDER COMMAND...
#
# Runs COMMAND with a linker that is late, and ends COMMAND as soon as that has
# begun: the linker sees COMMAND end and only then writes its output. Prints
# "ended while it linked" when all of them are gone.
folder=$1
shift
mkdir "$folder/late"
cat >"$folder/late/clang++-22" <<EOF
#!/usr/bin/env bash
while [[ \$1 != -o ]]; do shift; done
echo \$PPID >"$folder/late/begun"
while kill -0 \$PPID 2>/dev/null; do sleep 0.01; done
echo program >"\$2"
echo "\$2" >"$folder/late/written"
EOF
chmod +x "$folder/late/clang++-22"
PATH=$folder/late:$PATH "$@" &
until [[ -s $folder/late/begun ]]; do
  kill -0 $! 2>/dev/null || { echo "ended by itself"; exit 1; }
  sleep 0.01
done
kill -TERM $!
wait $!
until [[ -s $folder/late/written ]]; do sleep 0.01; done
written=$(<"$folder/late/written")
[[ $written == "$folder"/* ]] || rm "$written"
rm -r "$folder/late"
echo "ended while it linked"
