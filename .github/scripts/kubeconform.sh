#!/bin/bash
# Judges a file of rendered manifests, its last argument, against the schemas of Kubernetes 1.36 and of the custom resources that we
# use. tests/kubernetes/run.sh calls it as JOBGATE_MANIFEST_VALIDATOR. Go's checksum database vouches for the program.
set -euo pipefail
exec go run github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0 -strict -summary -kubernetes-version 1.36.0 \
    -schema-location default \
    -schema-location 'https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json' \
    -skip azmonitoring.coreos.com/v1/PodMonitor "${!#}"
