# pueue, with its own daemon and configuration.

source "${BASH_SOURCE[0]%/*}/common.bash"
mkdir "$DEST/data" "$DEST/run"
cat >"$DEST/pueue.yml" <<END
client: {}
daemon: {}
shared:
  pueue_directory: $DEST/data
  runtime_directory: $DEST/run
  use_unix_socket: true
  unix_socket_path: $DEST/socket
END
trap '"$PUEUE" --config "$DEST/pueue.yml" shutdown; wait' EXIT
"$PUEUED" --config "$DEST/pueue.yml" &
until "$PUEUE" --config "$DEST/pueue.yml" status; do
    sleep 0.05
done
for ((i = 0; i < count; i++)); do
    "$PUEUE" --config "$DEST/pueue.yml" add -- "${task[@]}"
    "$PUEUE" --config "$DEST/pueue.yml" wait
    waited
done
