#!/usr/bin/env bash
# Prints where the real helm is: one that tests/e2e/kubernetes has built, else built here, from the same pinned Go module, once.
# Needs: Go 1.26. Keeps it in ${XDG_CACHE_HOME:-~/.cache}/faas-sidecar.
set -euo pipefail
cd "$(dirname "$0")/../kubernetes/tools"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/faas-sidecar
all=$cache/kubernetes-$(cat go.mod go.sum build | sha256sum | cut -c1-16)
own=$cache/helm-$(cat go.mod go.sum | sha256sum | cut -c1-16)
if test -e "$all/complete"; then
  echo "$all/helm"
  exit
fi
if ! test -x "$own/helm"; then
  mkdir -p "$own"
  version=$(go list -m -f '{{.Version}}' helm.sh/helm/v3)
  minor=$(go list -m -f '{{.Version}}' k8s.io/kubernetes | cut -d. -f2)
  kubernetes=helm.sh/helm/v3/pkg/chartutil.k8sVersion
  flags="-s -w -X helm.sh/helm/v3/internal/version.version=$version -X ${kubernetes}Major=1 -X ${kubernetes}Minor=$minor"
  CGO_ENABLED=0 go build -ldflags "$flags" -o "$own/helm.new" helm.sh/helm/v3/cmd/helm
  mv "$own/helm.new" "$own/helm"
fi
echo "$own/helm"
