#!/usr/bin/env bash
# Calls of every kind through a sidecar with a functiongraph target, so that there are signatures of every kind.
# Usage: sidecar.sh BINARY DIRECTORY; the sidecar is at FAAS_SIDECAR_ADDRESS; DIRECTORY is for files.
set -euo pipefail
binary=$1 work=$2
call() { grpcurl -plaintext -unix -authority localhost -d "$2" "${FAAS_SIDECAR_ADDRESS#unix:}" "faas.v1.$1"; }
expect() { grep -qF -- "$1" <<<"$2" || { printf 'expected %s in:\n%s\n' "$1" "$2" >&2; exit 1; }; }

limits='"limits": {"timeout": "10s", "memory_mb": 256}'
source='exports.handler = async (event, context) => ({ size: (event.fill ?? \"\").length, name: event.name, version: context.getVersion() });'
exec='"exec": {"runtime": "Node.js20.15", "main": "index.handler", "source": "'$source'"}'
call ActionService/PutAction '{"action_name": "hello", "action": {'"$exec, $limits"'}}' >/dev/null
call ActionService/PutAction '{"action_name": "hello", "action": {"description": "changed: 함수", '"$exec, $limits"'}}' >/dev/null
call ActionService/PublishActionVersion '{"action_name": "hello", "version": "v1.0"}' >/dev/null
call ActionService/PutActionAlias '{"action_name": "hello", "alias_name": "prod", "alias": {"version": "v1.0"}}' >/dev/null
expect v1.0 "$(call InvocationService/Invoke '{"action_name": "hello", "version": "!prod", "include_logs": true, "arguments": {"text": "{}"}}')"
expect '"name":"Kim 가"' "$("$binary" invoke hello --param 'name=Kim 가' --logs)"
expect '"name":"Lee"' "$("$binary" invoke hello --target known --param name=Lee)"
for size in 1024 1048576; do
  head -c "$size" /dev/zero | tr '\0' x >"$work/fill"
  printf '{"fill": "%s"}' "$(cat "$work/fill")" >"$work/event.json"
  expect "\"size\":$size" "$("$binary" invoke hello --json "@$work/event.json")"
done
call ActionService/PutAsyncInvokeConfig '{"action_name": "hello", "config": {"enable_async_status_log": true}}' >/dev/null
"$binary" invoke hello --async >/dev/null
now=$(date -u +%FT%TZ)
call InvocationService/ListActivations '{"action_name": "hello", "page_size": 2, "start_time": "2026-01-01T00:00:00Z", "end_time": "'"$now"'"}' >/dev/null
expect hello "$(call ActionService/ListActions '{"page_size": 1}')"
expect default "$(call PackageService/ListPackages '{}')"
expect exports.handler "$(call ActionService/GetAction '{"action_name": "hello", "include_code": true}')"
call ActionService/DeleteActionAlias '{"action_name": "hello", "alias_name": "prod"}' >/dev/null
call ActionService/DeleteAction '{"action_name": "hello"}' >/dev/null
expect 'Code: NotFound' "$(call ActionService/GetAction '{"action_name": "hello"}' 2>&1 || true)"
echo '   created, changed, published, invoked by alias and with 1 MiB, listed, deleted through the sidecar'
